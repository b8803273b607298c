import type { Stall } from '@sluice/daemon/http/daemon-state';
import type { Failure } from '@sluice/store/write/failure-policy';

/** State of the writer, for its health endpoints, its metrics and its log. The loop changes it in place. */
export interface WriterState {
  /** False until Postgres has answered and the schema is there. */
  databaseReady: boolean;
  /** Set while a batch cannot be stored and only an operator can fix that. Nothing is fetched meanwhile. */
  stalled: (Failure & { readonly since: string; readonly entries: readonly string[] }) | null;
  /** Set while the last try of a batch failed with an error that passes without an operator. */
  retrying: (Failure & { readonly since: string }) | null;
  /** Batches in a transaction or being acknowledged. */
  inFlight: number;
  storedEvents: number;
  duplicateEvents: number;
  deadLetters: number;
  transactions: number;
  /** Milliseconds since 1970 of the last commit; null before the first. */
  lastCommitAt: number | null;
}

/** The stall as it is published; null when there is none. */
export function stallOf({ stalled }: WriterState): Stall | null {
  if (stalled === null) return null;
  return { since: stalled.since, code: stalled.code, message: stalled.message, entries: stalled.entries.length };
}

export function newWriterState(): WriterState {
  return {
    databaseReady: false,
    stalled: null,
    retrying: null,
    inFlight: 0,
    storedEvents: 0,
    duplicateEvents: 0,
    deadLetters: 0,
    transactions: 0,
    lastCommitAt: null,
  };
}

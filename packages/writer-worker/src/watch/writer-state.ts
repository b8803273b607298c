import type { Stall } from '@sluice/daemon/http/daemon-state';
import type { Failure } from '@sluice/store/write/failure-policy';
import { RedisFailures } from './redis-failures.ts';

/** State of the writer, for its health endpoints, its metrics and its log. The loop changes it in place. */
export interface WriterState {
  /** False until Postgres has answered and the schema is there. */
  databaseReady: boolean;
  /** Why preparing the database failed last; null once it is ready, and before the first failure. */
  notReady: Failure | null;
  /** Set while a batch cannot be stored and only an operator can fix that. Nothing is fetched meanwhile. */
  stalled: (Failure & { readonly since: string; readonly entries: readonly string[] }) | null;
  /** Set while the last try of a batch failed with an error that passes without an operator. */
  retrying: (Failure & { readonly since: string }) | null;
  /** What the writer cannot do in Redis at the moment. */
  readonly redisFailures: RedisFailures;
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
    notReady: null,
    stalled: null,
    retrying: null,
    redisFailures: new RedisFailures(),
    inFlight: 0,
    storedEvents: 0,
    duplicateEvents: 0,
    deadLetters: 0,
    transactions: 0,
    lastCommitAt: null,
  };
}

import type { CheckResult } from '@sluice/daemon/http/health';
import type { BatchBuffer } from '../batch/batch-buffer.ts';
import type { Progress } from './progress.ts';
import type { WriterState } from './writer-state.ts';

/** What `/live` of the writer looks at. */
export interface LiveOptions {
  readonly state: WriterState;
  readonly progress: Progress;
  readonly buffer: BatchBuffer;
  readonly timeoutMs: number;
  /** A writer that stops is given its time by SHUTDOWN_TIMEOUT_MS. */
  readonly stopFetching: AbortSignal;
}

/**
 * Whether a restart could help: fails when the consumer, or a single thing that it has under way, has given no sign of
 * life for `timeoutMs`. What a restart does not cure does not fail it: Postgres or Redis being away, and a stall. Nor
 * does making the schema, before the consumer begins: a migration may take long, and must not be killed.
 */
export function liveCheck({ state, progress, buffer, timeoutMs, stopFetching }: LiveOptions): CheckResult {
  const { ms, activity } = progress.standstill();
  if (!state.databaseReady || stopFetching.aborted || ms < timeoutMs) return { ok: true };
  return {
    ok: false,
    detail: {
      wedged_since: new Date(Date.now() - ms).toISOString(),
      idle_seconds: Math.round(ms / 1000),
      // There is always a read, or a try after a while: nothing at all is a defect.
      doing: activity?.doing ?? 'nothing',
      ...activity?.detail,
      transactions_in_flight: state.inFlight,
      buffered_events: buffer.events,
    },
  };
}

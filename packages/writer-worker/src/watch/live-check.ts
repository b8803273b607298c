import type { CheckResult } from '@sluice/daemon/http/health';
import type { BatchBuffer } from '../batch/batch-buffer.ts';
import type { Progress } from './progress.ts';
import type { WriterState } from './writer-state.ts';

/**
 * Whether a restart could help. Fails when the consumer, or one of its activities, has given no sign of life for
 * `timeoutMs`. What a restart cannot fix does not fail it: an outage of Postgres or Redis, and a stall. Migrations do not
 * fail it either: they may take long, and must not be killed.
 */
export function liveCheck({ state, progress, buffer, timeoutMs, stopFetching }: LiveOptions): CheckResult {
  const { ms, activity } = progress.standstill();
  if (!state.databaseReady || stopFetching.aborted || ms < timeoutMs) return { ok: true };
  return {
    ok: false,
    detail: {
      wedged_since: new Date(Date.now() - ms).toISOString(),
      idle_seconds: Math.round(ms / 1000),
      // A read or a retry is always in progress: nothing at all is a defect.
      doing: activity?.doing ?? 'nothing',
      ...activity?.detail,
      transactions_in_flight: state.inFlight,
      buffered_events: buffer.events,
    },
  };
}

/** What `/live` of the writer checks. */
export interface LiveOptions {
  readonly state: WriterState;
  readonly progress: Progress;
  readonly buffer: BatchBuffer;
  readonly timeoutMs: number;
  /** SHUTDOWN_TIMEOUT_MS limits a writer that stops. */
  readonly stopFetching: AbortSignal;
}

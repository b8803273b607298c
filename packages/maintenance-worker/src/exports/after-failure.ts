import type { Kysely } from 'kysely';
import { type Backoff, backoffDelay } from '@sluice/daemon/retry/backoff';
import { messageOf } from '@sluice/errors/message-of';
import { DestinationError } from '@sluice/exports/destination';
import { failRun, putOff } from './export-states.ts';
import { RunError } from './run-error.ts';

/**
 * Writes to the run why its attempt failed and when the next one is, so that a restart does not lose it.
 *
 * @param run as it was when the attempt began
 * @throws the error of Postgres; the run is then as the attempt left it, and the sweep finds it
 */
export async function afterFailure(
  db: Kysely<unknown>,
  run: { readonly id: string; readonly trigger: string; readonly attempts: number },
  error: unknown,
): Promise<Verdict> {
  const message = messageOf(error);
  if (error instanceof RunError || (error instanceof DestinationError && error.permanent)) {
    await failRun(db, run.id, { code: error.code, message });
    return { state: 'failed', waitMs: 0 };
  }
  if (!(error instanceof DestinationError)) {
    await putOff(db, run.id, { code: 'interrupted', message, waitMs: AWAY_WAIT_MS, spent: false });
    return { state: 'queued', waitMs: AWAY_WAIT_MS };
  }
  if (run.trigger === 'request' && run.attempts + 1 >= MAX_ATTEMPTS) {
    await failRun(db, run.id, { code: 'too_many_attempts', message: `after ${MAX_ATTEMPTS} attempts: ${message}` });
    return { state: 'failed', waitMs: 0 };
  }
  const waitMs = backoffDelay(BACKOFF, run.attempts + 1);
  await putOff(db, run.id, { code: error.code, message, waitMs, spent: true });
  return { state: 'queued', waitMs };
}

/** Waits between two attempts, with jitter: many tenants' exports may wait for the same server. */
const BACKOFF: Backoff = { initialMs: 5_000, maxMs: 60 * 60_000 };

/**
 * Attempts of a requested run: the last one is about an hour and a half after the first. Scheduled runs are retried
 * forever, because the events after their window wait for them.
 */
const MAX_ATTEMPTS = 11;

/** Wait after an error that is not the destination's, in milliseconds; mostly Postgres was unavailable. */
const AWAY_WAIT_MS = 2_000;

/** What follows a failed attempt. */
export interface Verdict {
  readonly state: 'failed' | 'queued';
  /** Until the next attempt; 0 for a run that failed. */
  readonly waitMs: number;
}

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
  run: {
    readonly id: string;
    readonly trigger: string;
    readonly attempts: number;
    /** Why the attempt before this one ended; null for the first. */
    readonly errorCode?: string | null;
  },
  error: unknown,
): Promise<Verdict> {
  const message = messageOf(error);
  if (error instanceof RunError || (error instanceof DestinationError && error.permanent)) {
    await failRun(db, run.id, { code: error.code, message });
    return { state: 'failed', waitMs: 0 };
  }
  const code = error instanceof DestinationError ? error.code : 'interrupted';
  const attempts = run.attempts + 1;
  if (run.trigger === 'request' && attempts >= MAX_ATTEMPTS) {
    await failRun(db, run.id, { code: 'too_many_attempts', message: `after ${MAX_ATTEMPTS} attempts: ${message}` });
    return { state: 'failed', waitMs: 0 };
  }
  // The attempt before must have ended so too: an outage may have spent all attempts but this one.
  if (code === 'rejected' && run.errorCode === 'rejected' && attempts >= MAX_REJECTED) {
    await failRun(db, run.id, { code, message: `after ${attempts} attempts: ${message}` });
    return { state: 'failed', waitMs: 0 };
  }
  const waitMs = backoffDelay(code === 'interrupted' ? INTERRUPTED_BACKOFF : BACKOFF, attempts);
  await putOff(db, run.id, { code, message, waitMs });
  return { state: 'queued', waitMs };
}

/** Waits between two attempts, with jitter: many tenants' exports may wait for the same server. */
const BACKOFF: Backoff = { initialMs: 5_000, maxMs: 60 * 60_000 };

/**
 * Attempts of a requested run: the last one is about an hour and a half after the first. Scheduled runs are retried
 * forever, because the events after their window wait for them.
 */
export const MAX_ATTEMPTS = 11;

/** Attempts that a destination may reject with an unknown answer; the last one is about ten minutes after the first. */
const MAX_REJECTED = 8;

/** Waits after an error that is not the destination's; mostly Postgres was unavailable. */
const INTERRUPTED_BACKOFF: Backoff = { initialMs: 2_000, maxMs: 5 * 60_000 };

/** What follows a failed attempt. */
export interface Verdict {
  readonly state: 'failed' | 'queued';
  /** Until the next attempt; 0 for a run that failed. */
  readonly waitMs: number;
}

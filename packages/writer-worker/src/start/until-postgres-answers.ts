import { retry } from '@sluice/daemon/retry/retry';
import type { Database } from '@sluice/store/database';

/**
 * Resolves once Postgres answers a query, however long that takes, or at once when the signal is aborted.
 *
 * @param moved called after each try
 */
export async function untilPostgresAnswers(database: Database, stop: AbortSignal, moved: () => void): Promise<void> {
  if (stop.aborted) return;
  await retry(() => database.check(), {
    backoff: { initialMs: 100, maxMs: 2_000 },
    signal: stop,
    // Any error means that there is no answer yet.
    onFailure: moved,
  });
}

import type { Database } from '@sluice/store/database';
import { backoffDelay } from '@sluice/daemon/retry/backoff';
import { waitOrAbort } from '@sluice/daemon/retry/wait-or-abort';

/**
 * Resolves once Postgres answers a query, however long that takes; at once when the signal is aborted.
 *
 * @param moved called after each try
 */
export async function untilPostgresAnswers(database: Database, stop: AbortSignal, moved: () => void): Promise<void> {
  for (let attempt = 1; !stop.aborted; attempt += 1) {
    try {
      await database.check();
      return;
    } catch {
      // Whatever it was, it is no answer.
      moved();
      await waitOrAbort(backoffDelay({ initialMs: 100, maxMs: 2_000 }, attempt), stop);
    }
  }
}

import type { Orm } from '@sluice/store/orm';
import { backoffDelay } from '@sluice/daemon/retry/backoff';
import { waitOrAbort } from '@sluice/daemon/retry/wait-or-abort';

/**
 * Resolves once Postgres answers a query, however long that takes; at once when the signal is aborted.
 *
 * @param moved called after each try
 */
export async function untilPostgresAnswers(orm: Orm, stop: AbortSignal, moved: () => void): Promise<void> {
  for (let attempt = 1; !stop.aborted; attempt += 1) {
    try {
      await orm.em.fork().getConnection().execute('SELECT 1');
      return;
    } catch {
      // Whatever it was, it is no answer.
      moved();
      await waitOrAbort(backoffDelay({ initialMs: 100, maxMs: 2_000 }, attempt), stop);
    }
  }
}

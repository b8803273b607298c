import type { Database } from '@sluice/store/database';
import { prepareDatabase } from '@sluice/store/prepare-database';
import type { Logger } from '@sluice/daemon/log/logger';
import { backoffDelay } from '@sluice/daemon/retry/backoff';
import { classifyFailure } from '@sluice/store/write/failure-policy';
import { waitOrAbort } from '@sluice/daemon/retry/wait-or-abort';
import type { WriterState } from '../watch/writer-state.ts';

/**
 * Prepares the database, waiting for it as long as it takes.
 *
 * @returns false when the stop came first
 */
export async function prepareUntilReady(
  database: Database,
  state: WriterState,
  logger: Logger,
  stop: AbortSignal,
): Promise<boolean> {
  let lastMessage: string | null = null;
  for (let attempt = 1; !stop.aborted; attempt += 1) {
    try {
      const prepared = await prepareDatabase(database, new Date());
      state.databaseReady = true;
      logger.info(prepared, 'database is ready');
      return true;
    } catch (error) {
      const failure = classifyFailure(error);
      const about = { class: failure.kind, code: failure.code, error: failure.message, attempt };
      // One warning for each new reason, not one for each try.
      if (failure.message === lastMessage) logger.debug(about, 'database is not ready; trying again');
      else if (failure.kind === 'operator') logger.error(about, 'database is not ready; trying again');
      else logger.warn(about, 'database is not ready; trying again');
      lastMessage = failure.message;
      await waitOrAbort(backoffDelay({ initialMs: 100, maxMs: 5_000 }, attempt), stop);
    }
  }
  return false;
}

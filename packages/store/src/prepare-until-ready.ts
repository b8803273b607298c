import type { Logger } from '@sluice/daemon/log/logger';
import type { Backoff } from '@sluice/daemon/retry/backoff';
import { retry } from '@sluice/daemon/retry/retry';
import type { Database } from './database.ts';
import { prepareDatabase } from './prepare-database.ts';
import { classifyFailure, type Failure } from './write/failure-policy.ts';

const BACKOFF: Backoff = { initialMs: 100, maxMs: 5_000 };

/**
 * Prepares the database, and waits for it as long as needed. Logs each reason why it is not ready once: as an error when an
 * operator has to act, else as a warning.
 *
 * @param onFailure called with each reason
 * @returns false when the stop came first
 */
export async function prepareUntilReady(
  database: Database,
  logger: Logger,
  stop: AbortSignal,
  onFailure: (failure: Failure) => void = () => {},
): Promise<boolean> {
  let lastMessage: string | null = null;
  const prepared = await retry(() => prepareDatabase(database), {
    backoff: BACKOFF,
    signal: stop,
    onFailure(error, attempt) {
      const failure = classifyFailure(error);
      onFailure(failure);
      const { kind, code, message } = failure;
      const about = { class: kind, code, error: message, attempt };
      if (message === lastMessage) logger.debug(about, 'database is still not ready');
      else if (kind === 'operator') logger.error(about, 'database is not ready and somebody has to act; retrying');
      else logger.warn(about, 'database is not ready; retrying');
      lastMessage = message;
    },
  });
  if (prepared === null) return false;
  if (prepared.otherSchemas.length > 0) {
    const { schema, otherSchemas } = prepared;
    logger.warn({ schema, other_schemas: otherSchemas }, 'another schema has tables of Sluice too; they are not used');
  }
  logger.info(prepared, 'database is ready');
  return true;
}

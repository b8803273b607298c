import type { Database } from './database.ts';
import type { Client } from './pool.ts';

/**
 * Runs a statement of pg's own client, and cancels it on the server when the signal is aborted.
 *
 * @throws what Postgres answered: 57014 for a statement that was cancelled
 */
export async function untilStopped<T>(
  database: Database,
  client: Client,
  stop: AbortSignal | undefined,
  send: () => Promise<T>,
): Promise<T> {
  stop?.throwIfAborted();
  let running = true;
  let cancelling: Promise<void> | undefined;
  const cancel = (): void => {
    // A server that accepts no further connection ends the statement by its time-out.
    cancelling = database.cancel(client, () => running).catch(() => {});
  };
  stop?.addEventListener('abort', cancel, { once: true });
  try {
    return await send();
  } finally {
    running = false;
    stop?.removeEventListener('abort', cancel);
    // Otherwise it could cancel the connection's next statement.
    await cancelling;
  }
}

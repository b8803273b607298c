import type { Logger } from '@sluice/daemon/log/logger';
import { messageOf } from '@sluice/errors/message-of';
import type { WakeQueue } from './wake-queue.ts';

/**
 * Wakes a maintenance worker for a row, or logs that none was notified. The row is committed, so the worker's sweep
 * finds it within half a minute. Never throws.
 *
 * @param facts further fields of the log line, e.g. `request_id`
 * @returns whether Redis accepted it
 */
export async function wakeOrWarn(queue: WakeQueue, id: string, logger: Logger, facts: object = {}): Promise<boolean> {
  try {
    await queue.wake(id);
    return true;
  } catch (error) {
    logger.warn(
      { ...facts, kind: queue.kind, id, error: messageOf(error) },
      'maintenance worker not notified; the sweep will pick it up',
    );
    return false;
  }
}

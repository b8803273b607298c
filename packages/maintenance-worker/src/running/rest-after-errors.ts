import type { Worker } from 'bullmq';
import type { Logger } from '@sluice/daemon/log/logger';

/** Shortest and longest rest of a worker that met an error, in milliseconds. */
const MIN_REST_MS = 100;
const MAX_REST_MS = 5_000;

/**
 * Makes a BullMQ worker rest after an error, longer each time. By itself it asks again at once when Redis refuses a
 * command: over maxmemory that is some 3,500 errors a second. Logs each new error once.
 */
export function restAfterErrors(worker: Worker, logger: Logger): void {
  let rest = MIN_REST_MS;
  let lastError = '';
  let lastAt = 0;
  let timer: NodeJS.Timeout | undefined;
  worker.on('error', ({ message }) => {
    if (message !== lastError)
      logger.warn({ queue: worker.name, error: message }, 'BullMQ met an error; it tries again');
    lastError = message;
    const now = performance.now();
    if (now - lastAt > 2 * MAX_REST_MS) rest = MIN_REST_MS;
    lastAt = now;
    if (timer !== undefined) return;
    worker.pause(true).catch(() => {});
    timer = setTimeout(() => {
      timer = undefined;
      void worker.resume();
    }, rest);
    rest = Math.min(2 * rest, MAX_REST_MS);
  });
  worker.on('closing', () => clearTimeout(timer));
}

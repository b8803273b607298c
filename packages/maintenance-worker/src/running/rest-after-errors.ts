import type { Worker } from 'bullmq';
import type { Logger } from '@sluice/daemon/log/logger';
import { type Backoff, backoffDelay } from '@sluice/daemon/retry/backoff';

/** Pauses of a worker after an error. */
const REST: Backoff = { initialMs: 100, maxMs: 5_000 };

/**
 * Pauses a BullMQ worker after an error, longer each time. Without this it asks again at once when Redis refuses a
 * command: over maxmemory that is about 3,500 errors a second. Logs each new error once.
 */
export function restAfterErrors(worker: Worker, logger: Logger): void {
  let errors = 0;
  let lastError = '';
  let lastAt = 0;
  let timer: NodeJS.Timeout | undefined;
  worker.on('error', ({ message }) => {
    if (message !== lastError) logger.warn({ queue: worker.name, error: message }, 'BullMQ met an error; it retries');
    lastError = message;
    const now = performance.now();
    if (now - lastAt > 2 * REST.maxMs) errors = 0;
    lastAt = now;
    // One that does not run yet asks for nothing, and resuming it would start it.
    if (timer !== undefined || !worker.isRunning()) return;
    errors += 1;
    // It only sets a mark and waits for nothing; while the worker closes it may fail, and then there is nothing to pause.
    worker.pause(true).catch(() => {});
    timer = setTimeout(
      () => {
        timer = undefined;
        void worker.resume();
      },
      backoffDelay(REST, errors),
    );
  });
  worker.on('closing', () => clearTimeout(timer));
}

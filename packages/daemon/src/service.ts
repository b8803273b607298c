import { waitAtMost } from './retry/with-timeout.ts';

/**
 * A part of a daemon that runs from when it is made until it is stopped: a loop, a server, a queue's worker.
 *
 * Implementations must tolerate that `stop` is called more than once, also while the first call still waits. Each of
 * these calls resolves when nothing runs any more.
 */
export interface Service {
  stop(): Promise<void>;
}

/**
 * Stops a part; for `AsyncDisposableStack.adopt`. A daemon adopts its parts in the order in which they begin, so they stop
 * in the reverse order: each while all that it needs still works.
 */
export function stop(service: Service): Promise<void> {
  return service.stop();
}

/** The same for a part that may wait for a server which does not answer, and has nothing to lose. */
export function stopWithin(ms: number): (service: Service) => Promise<void> {
  return (service) => waitAtMost(ms, service.stop());
}

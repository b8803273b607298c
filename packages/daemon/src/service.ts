import { waitAtMost } from './retry/with-timeout.ts';

/**
 * A part of a daemon that runs from its creation until it is stopped: a loop, a server, a queue's worker.
 *
 * Implementations must tolerate more than one call of `stop`, also while the first call still waits. Each of these calls
 * resolves when nothing is running any more.
 */
export interface Service {
  stop(): Promise<void>;
}

/**
 * Stops a part; for `AsyncDisposableStack.adopt`. A daemon adopts its parts in the order in which they start. They stop in
 * the reverse order, each while all that it needs still works.
 */
export function stop(service: Service): Promise<void> {
  return service.stop();
}

/** The same for a part that loses nothing when its wait for a server is cut short. */
export function stopWithin(ms: number): (service: Service) => Promise<void> {
  return (service) => waitAtMost(ms, service.stop());
}

import { Queue } from 'bullmq';
import { withTimeout } from '@sluice/daemon/retry/with-timeout';
import { activeTraceparent } from '@sluice/daemon/telemetry/trace-context';
import { untraced } from '@sluice/daemon/telemetry/untraced';
import { jobConnection, jobsPrefix } from './job-queues.ts';

/** How long a request waits for Redis to take a job, in milliseconds. */
const WAKE_TIMEOUT_MS = 1_000;

/** What a job of such a queue carries: which row in Postgres has something to do. All else is there. */
export interface WakeJob {
  readonly id: string;
  /** W3C trace context of who asked for it; none for what a sweep found. */
  readonly traceparent?: string | null;
}

/** Tells maintenance workers that something was written down in Postgres for them. */
export interface WakeQueue {
  /**
   * Wakes a maintenance worker for a row. Doing it twice, or for one that is being worked on, does no harm. What the
   * worker then does is linked to the span that is active here.
   *
   * @throws when Redis does not take it in time; it may still get it when it is back, and if it does not, the
   *   maintenance worker's sweep finds the row in Postgres
   */
  wake(id: string): Promise<void>;
  close(): Promise<void>;
}

/** How a queue is reached. */
export interface WakeQueueOptions {
  readonly redisUrl: string;
  readonly namespace: string;
  /** Told of what happens to the connection between two calls. */
  readonly onError: (error: Error) => void;
}

/** Opens one of the queues of which Postgres holds the truth. */
export function openWakeQueue(name: string, options: WakeQueueOptions): WakeQueue {
  // What BullMQ asks Redis for is its own affair, also where a queue is opened inside of a span.
  const queue = untraced(
    () =>
      new Queue<WakeJob>(name, {
        connection: jobConnection(options.redisUrl),
        prefix: jobsPrefix(options.namespace),
      }),
  );
  queue.on('error', options.onError);
  return {
    async wake(id) {
      const data = { id, traceparent: activeTraceparent() };
      const added = untraced(() => queue.add('wake', data, { removeOnComplete: true, removeOnFail: true }));
      await withTimeout(added, WAKE_TIMEOUT_MS);
    },
    close: () => untraced(() => queue.close()),
  };
}

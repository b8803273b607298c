import { Queue } from 'bullmq';
import { withTimeout } from '@sluice/daemon/retry/with-timeout';
import { activeTraceparent } from '@sluice/daemon/telemetry/trace-context';
import { untraced } from '@sluice/daemon/telemetry/untraced';
import { bullmqConnection, bullmqPrefix } from './bullmq-connection.ts';

/**
 * The BullMQ queues that wake maintenance workers, by the kind of work: a requested run of a job (`job_runs`), a replay
 * (`replays`) or an export (`export_runs`).
 */
export const WAKE_QUEUES = { run: 'run-requests', replay: 'replays', export: 'exports' } as const;

export type WakeKind = keyof typeof WAKE_QUEUES;

/** How long a request waits for Redis to accept a wake-up, in milliseconds. */
const WAKE_TIMEOUT_MS = 1_000;

/** What a wake-up carries: the id of a row in Postgres. Everything else is in the row. */
export interface WakeJob {
  readonly id: string;
  /** W3C trace context of the request; null for a row that a sweep found. */
  readonly traceparent?: string | null;
}

/** Notifies maintenance workers of rows in Postgres that ask for work. */
export interface WakeQueue {
  readonly kind: WakeKind;
  /**
   * Wakes a maintenance worker for a row. Waking it twice, or for a row that a worker already runs, is harmless. The
   * worker links its span to the span that is active here.
   *
   * @throws when Redis does not accept the wake-up in time; Redis may still get it later, and otherwise the
   *   maintenance worker's sweep finds the row
   */
  wake(id: string): Promise<void>;
  close(): Promise<void>;
}

/** How a queue is reached. */
export interface WakeQueueOptions {
  readonly redisUrl: string;
  readonly namespace: string;
  /** Called with errors of the connection between two calls. */
  readonly onError: (error: Error) => void;
}

export function openWakeQueue(kind: WakeKind, options: WakeQueueOptions): WakeQueue {
  // BullMQ's own commands belong to no trace, even where a queue is opened inside a span.
  const queue = untraced(
    () =>
      new Queue<WakeJob>(WAKE_QUEUES[kind], {
        connection: bullmqConnection(options.redisUrl),
        prefix: bullmqPrefix(options.namespace),
      }),
  );
  queue.on('error', options.onError);
  return {
    kind,
    async wake(id) {
      const data = { id, traceparent: activeTraceparent() };
      const added = untraced(() => queue.add('wake', data, { removeOnComplete: true, removeOnFail: true }));
      await withTimeout(added, WAKE_TIMEOUT_MS, { message: `no answer within ${WAKE_TIMEOUT_MS} ms` });
    },
    close: () => untraced(() => queue.close()),
  };
}

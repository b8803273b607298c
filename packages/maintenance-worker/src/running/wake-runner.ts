import { context as traceContext } from '@opentelemetry/api';
import { Worker } from 'bullmq';
import type { Logger } from '@sluice/daemon/log/logger';
import { Outage } from '@sluice/daemon/log/outage';
import { contextOf } from '@sluice/daemon/telemetry/trace-context';
import { bullmqConnection, bullmqPrefix } from '@sluice/jobs/bullmq-connection';
import { wakeOrWarn } from '@sluice/jobs/wake-or-warn';
import { openWakeQueue, type WakeJob, type WakeKind, WAKE_QUEUES } from '@sluice/jobs/wake-queue';
import { restAfterErrors } from './rest-after-errors.ts';
import { type Timings, TIMINGS } from './timings.ts';

/** A running wake-and-sweep loop. */
export interface WakeRunner {
  /** Wakes workers for everything that is due; never throws. A running sweep ends first. */
  sweep(): Promise<void>;
  /** Takes no further work, aborts the signal of running work, and waits for it. */
  stop(): Promise<void>;
}

export interface WakeRunnerOptions {
  readonly kind: WakeKind;
  readonly redisUrl: string;
  readonly namespace: string;
  readonly logger: Logger;
  /** True once the schema is ready; nothing begins before. */
  readonly registered: Promise<boolean>;
  /** Rows that this worker works on at the same time. */
  readonly atOnce: number;
  /**
   * Works on a row until there is no more to do for now. A row that is not due, has ended or belongs to another worker
   * is not an error.
   *
   * @param signal aborted by `stop`
   * @returns milliseconds until the row is due again; 0 when it is not
   */
  work(wake: WakeJob, signal: AbortSignal): Promise<number>;
  /** Ids of the rows in Postgres that are due, the oldest first. */
  due(): Promise<readonly string[]>;
  readonly timings?: Partial<Timings> | undefined;
}

/**
 * Runs one kind of work of which Postgres holds the truth: runs of jobs, replays, exports.
 *
 *     BullMQ wakes ──┐
 *                    ├──► work(row) ──► due again soon? wakes itself
 *     sweep wakes ───┘
 *
 * BullMQ only wakes. A lost wake-up (FLUSHALL, or Redis was unavailable when the row was written) delays the work until
 * the next sweep, which reads Postgres at the start and every 30 s. The sweep also finds what a killed worker left
 * unfinished. After errors of Redis the worker pauses, longer each time.
 */
export function startWakeRunner(options: WakeRunnerOptions): WakeRunner {
  const { kind, redisUrl, namespace, logger } = options;
  const { sweepMs } = { ...TIMINGS, ...options.timings };
  const stopping = new AbortController();
  const waiting = new Set<NodeJS.Timeout>();
  const queue = openWakeQueue(kind, {
    redisUrl,
    namespace,
    onError: (error) => logger.debug({ error: error.message }, 'BullMQ cannot reach Redis'),
  });
  const wakeIn = (waitMs: number, { id, traceparent }: WakeJob): void => {
    const timer = setTimeout(() => {
      waiting.delete(timer);
      // The next attempt still belongs to the request of the first.
      void traceContext.with(contextOf(traceparent), () => wakeOrWarn(queue, id, logger));
    }, waitMs);
    waiting.add(timer);
  };
  const worker = new Worker<WakeJob>(
    WAKE_QUEUES[kind],
    async ({ data }) => {
      const waitMs = await options.work(data, stopping.signal);
      // Longer waits are left to the sweep, which needs no timer.
      if (waitMs > 0 && waitMs <= sweepMs && !stopping.signal.aborted) wakeIn(waitMs, data);
    },
    {
      connection: bullmqConnection(redisUrl),
      prefix: bullmqPrefix(namespace),
      concurrency: options.atOnce,
      autorun: false,
    },
  );
  restAfterErrors(worker, logger);
  worker.on('failed', (wake, error) =>
    logger.warn({ kind, id: wake?.data.id, error: error.message }, 'work not begun; the sweep will pick it up'),
  );

  const outage = new Outage();
  const sweepOnce = async (): Promise<void> => {
    try {
      const due = await options.due();
      for (const id of due) {
        if (stopping.signal.aborted) return;
        await queue.wake(id);
      }
      outage.over();
      logger.debug({ kind, due: due.length }, 'looked for what waits');
    } catch (error) {
      const reason = outage.news(error);
      if (reason !== null) logger.warn({ kind, error: reason }, 'sweep failed; retrying');
    }
  };
  let sweeping = Promise.resolve();
  let sweeps = 0;
  const sweep = async (): Promise<void> => {
    sweeps += 1;
    sweeping = sweeping.then(sweepOnce);
    await sweeping;
    sweeps -= 1;
  };
  let timer: NodeJS.Timeout | undefined;
  void options.registered.then((registered) => {
    if (!registered || stopping.signal.aborted) return;
    worker
      .run()
      .catch((error: unknown) => logger.error({ kind, err: error }, 'BullMQ worker ended; restart the daemon'));
    void sweep();
    timer = setInterval(() => {
      if (sweeps === 0) void sweep();
    }, sweepMs);
  });

  return {
    sweep,
    async stop() {
      clearInterval(timer);
      stopping.abort(new Error('the worker stops'));
      await Promise.all([worker.close(), sweeping]);
      for (const each of waiting) clearTimeout(each);
      await queue.close();
    },
  };
}

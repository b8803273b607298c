import { Worker } from 'bullmq';
import { sql } from 'kysely';
import { messageOf } from '@sluice/errors/message-of';
import { jobConnection, jobsPrefix } from '@sluice/jobs/job-queues';
import { openReplayJobs, REPLAYS_QUEUE } from '@sluice/jobs/replay-jobs';
import type { WakeJob } from '@sluice/jobs/wake-queue';
import { Outage } from '@sluice/daemon/log/outage';
import { waitOrAbort } from '@sluice/daemon/retry/wait-or-abort';
import { restAfterErrors } from '../running/rest-after-errors.ts';
import { noteError } from './end-replay.ts';
import { type ReplayContext, replayLetters } from './replay-letters.ts';

/** How often Postgres is asked for replays that nobody was woken for, in milliseconds. */
const SWEEP_MS = 30_000;

/** Replays that one worker runs at a time; each holds a connection to Postgres. */
export const REPLAYS_AT_ONCE = 3;

/** Wait before a replay that met an error goes on, in milliseconds. */
const TRY_AGAIN_MS = 1_000;

/** Replays in motion. */
export interface RunningReplays {
  /** Lets running replays rest where they are, and stops. */
  stop(): Promise<void>;
}

/**
 * Runs the replays that BullMQ brings, and every 30 s those that Postgres knows of: a job that was lost (FLUSHALL, a
 * Redis that was away when the replay was asked for) delays a replay, no more.
 *
 * @param options.registered true once the schema is there; nothing begins before
 */
export function runReplays(
  options: ReplayContext & { redisUrl: string; registered: Promise<boolean> },
): RunningReplays {
  const { redisUrl, namespace, logger } = options;
  const stopping = new AbortController();
  const jobs = openReplayJobs({
    redisUrl,
    namespace,
    onError: (error) => logger.debug({ error: error.message }, 'BullMQ cannot reach Redis'),
  });
  const worker = new Worker<WakeJob>(
    REPLAYS_QUEUE,
    async (job) => {
      await runUntilItRests(job.data, options, stopping.signal);
    },
    {
      connection: jobConnection(redisUrl),
      prefix: jobsPrefix(namespace),
      concurrency: REPLAYS_AT_ONCE,
      autorun: false,
    },
  );
  restAfterErrors(worker, logger);

  const sweep = async (): Promise<void> => {
    const db = options.database.db;
    const { rows } = await sql<{ id: string }>`
      SELECT id FROM replays WHERE state IN ('queued', 'running')
      UNION SELECT replay_id FROM dead_letters JOIN replays r ON r.id = replay_id
      WHERE dead_letters.state = 'replaying' AND r.state IN ('cancelled', 'failed')`.execute(db);
    for (const { id } of rows) await jobs.wake(id);
  };
  const outage = new Outage();
  const sweepSafely = (): void => {
    sweep().then(
      () => outage.over(),
      (error: unknown) => {
        const reason = outage.news(error);
        if (reason !== null) logger.warn({ error: reason }, 'replays cannot be looked for; trying again');
      },
    );
  };
  let timer: NodeJS.Timeout | undefined;
  void options.registered.then((registered) => {
    if (!registered || stopping.signal.aborted) return;
    worker.run().catch((error: unknown) => logger.error({ err: error }, 'replays cannot be run'));
    // Also what an earlier process left in the middle goes on at once.
    sweepSafely();
    timer = setInterval(sweepSafely, SWEEP_MS);
  });

  return {
    async stop() {
      clearInterval(timer);
      stopping.abort();
      await worker.close();
      await jobs.close();
    },
  };
}

/** Postgres or Redis being away delays a replay: it goes on when they are back. */
async function runUntilItRests(
  { id, traceparent }: WakeJob,
  context: ReplayContext,
  signal: AbortSignal,
): Promise<void> {
  let lastReason = '';
  while (!signal.aborted) {
    try {
      return await replayLetters(id, context, signal, traceparent);
    } catch (error) {
      const reason = messageOf(error);
      const about = { replay: id, error: reason };
      if (reason !== lastReason) context.logger.warn(about, 'a replay met an error; it goes on in a moment');
      else context.logger.debug(about, 'a replay met an error; it goes on in a moment');
      lastReason = reason;
      const db = context.database.db;
      await noteError(db, id, reason).catch(() => {});
      await waitOrAbort(TRY_AGAIN_MS, signal);
    }
  }
}

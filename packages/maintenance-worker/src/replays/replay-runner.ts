import { sql } from 'kysely';
import { Outage } from '@sluice/daemon/log/outage';
import { waitOrAbort } from '@sluice/daemon/retry/wait-or-abort';
import { messageOf } from '@sluice/errors/message-of';
import type { WakeJob } from '@sluice/jobs/wake-queue';
import { startWakeRunner, type WakeRunner } from '../running/wake-runner.ts';
import { noteError } from './end-replay.ts';
import { type ReplayContext, replayLetters } from './replay-letters.ts';

/** Replays that one worker runs at the same time; each holds a connection to Postgres. */
export const REPLAYS_AT_ONCE = 3;

/** Wait before a replay that met an error continues, in milliseconds. */
const RETRY_MS = 1_000;

/**
 * Runs the replays that operators request, and continues those that an earlier process left unfinished.
 *
 * @param options.registered true once the schema is ready; nothing begins before
 */
export function runReplays(options: ReplayContext & { redisUrl: string; registered: Promise<boolean> }): WakeRunner {
  const { redisUrl, namespace, logger, registered, database } = options;
  return startWakeRunner({
    kind: 'replay',
    redisUrl,
    namespace,
    logger,
    registered,
    atOnce: REPLAYS_AT_ONCE,
    async work(wake, signal) {
      await replayUntilItRests(wake, options, signal);
      return 0;
    },
    async due() {
      const { rows } = await sql<{ id: string }>`
        SELECT id FROM replays WHERE state IN ('queued', 'running')
        UNION SELECT replay_id FROM dead_letters JOIN replays r ON r.id = replay_id
        WHERE dead_letters.state = 'replaying' AND r.state IN ('cancelled', 'failed')`.execute(database.db);
      return rows.map(({ id }) => id);
    },
  });
}

/**
 * Runs a replay until it ends or is paused. An outage of Postgres or Redis delays it: it continues when they are back.
 */
async function replayUntilItRests(
  { id, traceparent }: WakeJob,
  context: ReplayContext,
  signal: AbortSignal,
): Promise<void> {
  const outage = new Outage();
  while (!signal.aborted) {
    try {
      return await replayLetters(id, context, signal, traceparent);
    } catch (error) {
      const about = { replay: id, error: messageOf(error) };
      if (outage.news(error) !== null) context.logger.warn(about, 'replay interrupted; retrying');
      else context.logger.debug(about, 'replay interrupted; retrying');
      await noteError(context.database.db, id, about.error).catch(() => {});
      await waitOrAbort(RETRY_MS, signal);
    }
  }
}

import type { Queue } from 'bullmq';
import { type Kysely, sql } from 'kysely';
import type { HealthCheck } from '@sluice/daemon/http/health';
import type { Logger } from '@sluice/daemon/log/logger';
import { withAdvisoryLock } from '@sluice/store/advisory-lock';
import type { Database } from '@sluice/store/database';
import type { Job } from '../jobs/job.ts';
import { staleAt } from './stale-at.ts';
import { restartSchedule } from './write-schedules.ts';

/** The state of the schedules, for `/health`. */
export interface SchedulesState {
  /** Scheduled jobs that should have succeeded again by now. */
  stale: readonly string[];
}

interface StaleJob {
  readonly name: string;
  readonly lastTickAt: Date | null;
}

/**
 * Finds the scheduled jobs that have not succeeded for too long. Reports them in `state`, which `/health` shows, and in
 * the log, once for each change. A job that has not even ticked gets a new schedule, which ticks at once. A job that
 * ticks and fails is left to its schedule.
 *
 * @throws when Postgres or Redis cannot be reached
 */
export async function checkStaleness(
  jobs: readonly Job[],
  state: SchedulesState,
  { database, queue, logger }: { database: Database; queue: Queue; logger: Logger },
): Promise<void> {
  const found = await findStale(database.db);
  const names = found.map((job) => job.name);
  if (names.join() !== state.stale.join()) {
    if (names.length > 0)
      logger.error({ jobs: names }, 'scheduled jobs are stale: no success for three of their ticks');
    else logger.info('no scheduled job is stale any more');
  }
  state.stale = names;
  const silent = found.filter((each) => {
    const job = jobs.find(({ name }) => name === each.name);
    return job !== undefined && isSilent(job, each.lastTickAt);
  });
  if (silent.length === 0) return;
  // One of several workers repairs. Its note keeps the next one from repairing again before the tick has come.
  await withAdvisoryLock(database, 'schedules:repair', async (db) => {
    for (const { name, lastTickAt } of await findStale(db)) {
      const job = jobs.find((each) => each.name === name);
      if (job === undefined || !isSilent(job, lastTickAt)) continue;
      await restartSchedule(queue, job);
      await sql`UPDATE jobs SET last_tick_at = now() WHERE name = ${name}`.execute(db);
      logger.warn({ job: name }, 'silent schedule written again');
    }
  });
}

/** `/health` is degraded while a scheduled job is stale. */
export function schedulesCheck(state: SchedulesState): HealthCheck {
  return {
    name: 'schedules',
    critical: false,
    run: () => ({ ok: state.stale.length === 0, detail: { stale: state.stale } }),
  };
}

async function findStale(db: Kysely<unknown>): Promise<readonly StaleJob[]> {
  const { rows } = await sql<{ name: string; ticked: number | null }>`
    SELECT name, (extract(epoch FROM last_tick_at) * 1000)::float8 AS ticked
    FROM jobs WHERE schedule IS NOT NULL AND stale_at < now() ORDER BY name`.execute(db);
  return rows.map(({ name, ticked }) => ({ name, lastTickAt: ticked === null ? null : new Date(ticked) }));
}

function isSilent(job: Job, lastTickAt: Date | null): boolean {
  const limit = lastTickAt === null ? null : staleAt(job, lastTickAt);
  return limit === null || limit < new Date();
}

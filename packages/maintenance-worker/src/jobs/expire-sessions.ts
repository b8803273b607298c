import { sql } from 'kysely';
import { deleteInBatches, type ExpiredRows } from '../retention/delete-in-batches.ts';
import { HOUR_MS, type Job, type JobContext, type JobResult, type JobRun } from './job.ts';

/**
 * Deletes sessions that have ended and were last seen longer ago than the events of their tenant are retained:
 * `EVENT_RETENTION_DAYS`, or the tenant's own time. With 0 days they stay forever, as the events do.
 *
 * When they were last seen is by the server's clock: a SessionEnd of years ago may have been stored just now. The time is
 * counted back from the fold's position, as in close-sessions.
 */
export const expireSessionsJob = {
  name: 'expire-sessions',
  description: 'Deletes sessions that ended more than EVENT_RETENTION_DAYS ago',
  schedule: { everyMs: HOUR_MS },
  timeoutMs: HOUR_MS / 2,
  concurrency: 1,
  run: expireSessions,
} satisfies Job;

const FOLDED_BEFORE = sql`(SELECT floor FROM rollup_generations WHERE state = 'live')`;

async function expireSessions({ database, config }: JobContext, run: JobRun): Promise<JobResult> {
  const db = database.db;
  const { rows: own } = await sql<{ tenant: string; days: number }>`
    SELECT tenant, days FROM tenant_retention WHERE days > 0 ORDER BY tenant`.execute(db);
  const others = {
    which: sql`NOT EXISTS (SELECT FROM tenant_retention r WHERE r.tenant = sessions.tenant)`,
    days: config.EVENT_RETENTION_DAYS,
  };
  const expired = [
    ...(others.days > 0 ? [others] : []),
    ...own.map(({ tenant, days }) => ({ which: sql`tenant = ${tenant}`, days })),
  ].map(({ which, days }): ExpiredRows => ({
    table: 'sessions',
    // The first condition is implied, give or take the day that a client's clock may be ahead; it has an index.
    where: sql`${which} AND ended_at < ${FOLDED_BEFORE} - make_interval(days => ${days}) + interval '1 day'
               AND last_seen_at < ${FOLDED_BEFORE} - make_interval(days => ${days})`,
    order: sql`ended_at`,
  }));
  const deleted = await deleteInBatches(db, expired, run);
  return { rows: deleted.reduce((sum, count) => sum + count, 0) };
}

import { type RawBuilder, sql } from 'kysely';
import { deleteInBatches } from '../retention/delete-in-batches.ts';
import { HOUR_MS, type Job, type JobContext, type JobResult, type JobRun } from './job.ts';

/**
 * Deletes sessions that ended longer ago than the events of their tenant are retained: `EVENT_RETENTION_DAYS`, or the
 * tenant's own time. With 0 days they stay forever, as the events do.
 */
export const expireSessionsJob = {
  name: 'expire-sessions',
  description: 'Deletes sessions that ended more than EVENT_RETENTION_DAYS ago',
  schedule: { everyMs: HOUR_MS },
  timeoutMs: HOUR_MS / 2,
  concurrency: 1,
  run: expireSessions,
} satisfies Job;

async function expireSessions({ database, config }: JobContext, run: JobRun): Promise<JobResult> {
  const db = database.db;
  const { rows: own } = await sql<{ tenant: string; days: number }>`
    SELECT tenant, days FROM tenant_retention WHERE days > 0 ORDER BY tenant`.execute(db);
  let deleted = 0;
  const expire = async (of: RawBuilder<unknown>, days: number): Promise<void> => {
    const old = {
      table: 'sessions',
      where: sql`${of} AND ended_at < now() - make_interval(days => ${days})`,
      order: sql`ended_at`,
    };
    deleted += await deleteInBatches(db, old, run, deleted);
  };
  if (config.EVENT_RETENTION_DAYS > 0) {
    await expire(
      sql`NOT EXISTS (SELECT FROM tenant_retention r WHERE r.tenant = sessions.tenant)`,
      config.EVENT_RETENTION_DAYS,
    );
  }
  for (const { tenant, days } of own) await expire(sql`tenant = ${tenant}`, days);
  return { rows: deleted };
}

import { type Kysely, type RawBuilder, type SqlBool, sql } from 'kysely';
import type { MaintenanceConfig } from '../config.ts';
import { deleteTenantEvents, planExpiry } from '../retention/delete-tenant-events.ts';
import { whileOldSegmentsAreMine } from '../retention/old-segments-lock.ts';
import { DRY_RUN_INPUT, type RetentionRules, retentionRules } from '../retention/retention-rules.ts';
import { HOUR_MS, type Job, type JobContext, type JobResult, type JobRun } from './job.ts';

/** Deletes events of tenants with a shorter retention of their own, row by row. */
export const expireTenantEventsJob = (config: Pick<MaintenanceConfig, 'CLEANUP_INTERVAL_HOURS'>): Job => ({
  name: 'expire-tenant-events',
  description: 'Deletes events of tenants with a shorter retention of their own, row by row',
  schedule: { everyMs: config.CLEANUP_INTERVAL_HOURS * HOUR_MS },
  timeoutMs: 12 * HOUR_MS,
  concurrency: 1,
  input: DRY_RUN_INPUT,
  run: deleteExpired,
});

async function deleteExpired({ database, config }: JobContext, run: JobRun): Promise<JobResult> {
  const rules = retentionRules(config, new Date());
  if (run.input['dry_run'] === true) return dryRun(database.db, rules);
  const rows = await whileOldSegmentsAreMine(database, run.signal, () =>
    deleteTenantEvents(database, { ...rules, signal: run.signal, progress: (done) => run.progress(done) }),
  );
  return { rows };
}

async function dryRun(db: Kysely<unknown>, rules: RetentionRules): Promise<JobResult> {
  const would_delete = [];
  for (const { tenants, cutoff, expiredTo } of await planExpiry(db, rules)) {
    const which = sql<SqlBool>`
      tenant = ANY(${tenants}::text[]) AND stored_at < ${cutoff}::timestamptz
      AND stored_at >= ${expiredTo ?? '-infinity'}::timestamptz`;
    would_delete.push({ tenants, stored_before: cutoff, events: await count(db, which) });
  }
  return { rows: 0, details: { dry_run: true, would_delete } };
}

async function count(db: Kysely<unknown>, which: RawBuilder<SqlBool>): Promise<number> {
  const { rows } = await sql<{ count: string }>`SELECT count(*) FROM events WHERE ${which}`.execute(db);
  return Number(rows[0]!.count);
}

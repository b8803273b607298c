import { type Kysely, type RawBuilder, type SqlBool, sql } from 'kysely';
import type { MaintenanceConfig } from '../config.ts';
import { deleteTenantEvents, planExpiry } from '../retention/delete-tenant-events.ts';
import { DRY_RUN_INPUT, type RetentionRules, retentionRules } from '../retention/retention-rules.ts';
import { HOUR_MS, type Job, type JobContext, type JobResult, type JobRun } from './job.ts';

/** Deletes events of tenants with a retention of their own, row by row. */
export const expireTenantEventsJob = (config: Pick<MaintenanceConfig, 'CLEANUP_INTERVAL_HOURS'>): Job => ({
  name: 'expire-tenant-events',
  description: 'Deletes events of tenants with a retention of their own, row by row',
  schedule: { everyMs: config.CLEANUP_INTERVAL_HOURS * HOUR_MS },
  timeoutMs: 12 * HOUR_MS,
  concurrency: 1,
  input: DRY_RUN_INPUT,
  run: deleteExpired,
});

async function deleteExpired({ database, config }: JobContext, run: JobRun): Promise<JobResult> {
  const rules = retentionRules(config, new Date());
  if (run.input['dry_run'] === true) return dryRun(database.db, rules);
  const rows = await deleteTenantEvents(database, {
    ...rules,
    signal: run.signal,
    progress: (done) => run.progress(done),
  });
  return { rows };
}

async function dryRun(db: Kysely<unknown>, rules: RetentionRules): Promise<JobResult> {
  const { due, kept } = await planExpiry(db, rules);
  const would_delete = [];
  for (const { tenants, cutoff, expiredTo } of due) {
    const which = sql<SqlBool>`
      tenant = ANY(${tenants}::text[]) AND stored_at < ${cutoff}::timestamptz
      AND stored_at >= ${expiredTo ?? '-infinity'}::timestamptz`;
    would_delete.push({ tenants, stored_before: cutoff, events: await count(db, 'events', which) });
  }
  for (const { partition, keepers } of kept) {
    const which = sql<SqlBool>`tenant <> ALL(${keepers}::text[])`;
    would_delete.push({ partition: partition.name, except: keepers, events: await count(db, partition.name, which) });
  }
  return { rows: 0, details: { dry_run: true, would_delete } };
}

async function count(db: Kysely<unknown>, table: string, which: RawBuilder<SqlBool>): Promise<number> {
  const { rows } = await sql<{ count: string }>`SELECT count(*) FROM ${sql.table(table)} WHERE ${which}`.execute(db);
  return Number(rows[0]!.count);
}

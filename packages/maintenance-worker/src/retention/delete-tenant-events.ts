import { type Kysely, type SqlBool, sql } from 'kysely';
import type { Database } from '@sluice/store/database';
import { isoTime } from '@sluice/store/iso-time';
import { type ListedPartition, listPartitions } from '@sluice/store/layout/list-partitions';
import { deleteSlices } from './delete-slices.ts';
import { judgePartitions } from './judge-partitions.ts';
import { exportedBySchedule, type RetentionRules } from './retention-rules.ts';

/** Deletes the expired events of tenants with a retention of their own. @returns the number of deleted events */
export async function deleteTenantEvents(database: Database, options: TenantExpiry): Promise<number> {
  const { signal, progress } = options;
  const db = database.db;
  const plan = await planExpiry(db, options);
  const partitions = await listPartitions(db);
  let deleted = 0;
  const count = (events: number): void => {
    deleted += events;
    progress(deleted);
  };
  for (const due of plan.due) await expireDue(database, due, { partitions, signal, count });
  for (const kept of plan.kept) await expireOthers(database, kept, { signal, count });
  return deleted;
}

/**
 * Plans what retention deletes row by row: events of tenants whose retention is shorter than EVENT_RETENTION_DAYS, and
 * in partitions that stay for tenants with a longer one, the events of all others. Events that a tenant's scheduled
 * export has not taken yet stay.
 */
export async function planExpiry(db: Kysely<unknown>, rules: RetentionRules): Promise<ExpiryPlan> {
  const { now, days } = rules;
  const due = await sql<DueTenants>`
    SELECT array_agg(tenant ORDER BY tenant) AS tenants, days, ${isoTime('expired_to')} AS "expiredTo",
           ${isoTime('cutoff')} AS cutoff
    FROM (SELECT r.*, date_trunc('milliseconds', least(
            ${now.toISOString()}::timestamptz - make_interval(days => days),
            CASE WHEN ${exportedBySchedule(rules)} THEN coalesce(p.floor, '-infinity') END)) AS cutoff
          FROM tenant_retention AS r
          LEFT JOIN export_configs AS c ON c.tenant = r.tenant
          LEFT JOIN export_positions AS p ON p.tenant = r.tenant) AS r
    WHERE days > 0 AND (${days}::int = 0 OR days < ${days}::int) AND cutoff > '-infinity'
      AND (expired_to IS NULL OR expired_to < cutoff)
    GROUP BY days, cutoff, expired_to ORDER BY cutoff`.execute(db);
  const judged = await judgePartitions(db, rules);
  return {
    due: due.rows,
    kept: judged
      .filter(({ keepers }) => keepers.length > 0)
      .map(({ partition, keepers, heldBackBy }) => ({ partition, keepers: [...keepers, ...heldBackBy] })),
  };
}

export interface TenantExpiry extends RetentionRules {
  readonly signal: AbortSignal;
  readonly progress: (events: number) => void;
}

/** Tenants whose events have expired up to the same time, and are deleted up to the same time. */
export interface DueTenants {
  readonly tenants: string[];
  readonly days: number;
  /** All their events stored before this are deleted; null before the first run. */
  readonly expiredTo: string | null;
  /** Events stored before this have expired: now − days, or how far their export has come. */
  readonly cutoff: string;
}

/** A partition that stays for some tenants; the events of all others are deleted. */
export interface KeptPartition {
  readonly partition: ListedPartition;
  readonly keepers: readonly string[];
}

/** What a run will delete; the whole answer of a dry run. */
export interface ExpiryPlan {
  readonly due: DueTenants[];
  readonly kept: KeptPartition[];
}

async function expireDue(
  database: Database,
  { tenants, cutoff, expiredTo }: DueTenants,
  run: { partitions: readonly ListedPartition[]; signal: AbortSignal; count: (events: number) => void },
): Promise<void> {
  const passed = async (until: string, events: number): Promise<void> => {
    run.count(events);
    await sql`UPDATE tenant_retention SET expired_to = ${until}::timestamptz WHERE tenant = ANY(${tenants}::text[])`.execute(
      database.db,
    );
  };
  for (const { name, from, to, detachPending } of run.partitions) {
    const start = expiredTo !== null && expiredTo > from ? expiredTo : from;
    const end = cutoff < to ? cutoff : to;
    if (detachPending || start >= end) continue;
    const which = sql<SqlBool>`tenant = ANY(${tenants}::text[])`;
    if (!(await deleteSlices(database, { partition: name, from: start, to: end, which }, { ...run, passed }))) return;
  }
}

async function expireOthers(
  database: Database,
  { partition, keepers }: KeptPartition,
  run: { signal: AbortSignal; count: (events: number) => void },
): Promise<void> {
  const { name, from, to } = partition;
  const db = database.db;
  // A tenant that is no longer a keeper has events where the others' are deleted already: delete from the start again.
  const { rows } = await sql<{ expired_to: string }>`
    INSERT INTO kept_partitions AS k (name, keepers, expired_to) VALUES (${name}, ${keepers}::text[], ${from}::timestamptz)
    ON CONFLICT (name) DO UPDATE SET keepers = excluded.keepers,
      expired_to = CASE WHEN k.keepers <@ excluded.keepers THEN k.expired_to ELSE excluded.expired_to END
    RETURNING ${isoTime('expired_to')} AS expired_to`.execute(db);
  const which = sql<SqlBool>`tenant <> ALL(${keepers}::text[])`;
  await deleteSlices(
    database,
    { partition: name, from: rows[0]!.expired_to, to, which },
    {
      signal: run.signal,
      async passed(until, events) {
        run.count(events);
        await sql`UPDATE kept_partitions SET expired_to = ${until}::timestamptz WHERE name = ${name}`.execute(db);
      },
    },
  );
}

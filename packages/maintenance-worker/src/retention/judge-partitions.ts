import { type Kysely, sql } from 'kysely';
import { type ListedPartition, listPartitions } from '@sluice/store/layout/list-partitions';
import { exportedBySchedule, type RetentionRules } from './retention-rules.ts';

/**
 * Finds the partitions that are past the retention, and who still needs them. A partition is past it when its end is.
 */
export async function judgePartitions(db: Kysely<unknown>, rules: RetentionRules): Promise<JudgedPartition[]> {
  const { now, days } = rules;
  if (days === 0) return [];
  const cutoff = now.getTime() - days * DAY_MS;
  const due = (await listPartitions(db)).filter(({ to, detachPending }) => Date.parse(to) <= cutoff && !detachPending);
  const judged: JudgedPartition[] = [];
  for (const partition of due) {
    judged.push({
      partition,
      keepers: await keepersOf(db, partition, now),
      heldBackBy: await exportsBehind(db, partition, rules),
    });
  }
  return judged;
}

/** A partition that is past EVENT_RETENTION_DAYS, with the tenants that it stays for. */
export interface JudgedPartition {
  readonly partition: ListedPartition;
  /** Tenants with events in it whose own retention is longer and not over: it stays for them. */
  readonly keepers: readonly string[];
  /** Tenants with events in it that their scheduled export has not taken yet: it waits for that. */
  readonly heldBackBy: readonly string[];
}

const DAY_MS = 24 * 60 * 60_000;

async function keepersOf(db: Kysely<unknown>, { name, to }: ListedPartition, now: Date): Promise<string[]> {
  const { rows } = await sql<{ tenant: string }>`
    SELECT tenant FROM tenant_retention AS r
    WHERE (days = 0 OR ${to}::timestamptz > ${now.toISOString()}::timestamptz - make_interval(days => days))
      AND EXISTS (SELECT FROM ${sql.table(name)} AS e WHERE e.tenant = r.tenant)
    ORDER BY tenant`.execute(db);
  return rows.map(({ tenant }) => tenant);
}

/**
 * Tenants whose scheduled export has not taken all of the partition yet. All is exported when the floor of the position
 * is at the end of the partition or later. Tenants are found by jumping from one to the next in an index.
 */
async function exportsBehind(
  db: Kysely<unknown>,
  { name, to }: ListedPartition,
  rules: RetentionRules,
): Promise<string[]> {
  const table = sql.table(name);
  const { rows } = await sql<{ tenant: string }>`
    WITH RECURSIVE names AS (
      (SELECT tenant FROM ${table} ORDER BY tenant LIMIT 1)
      UNION ALL
      SELECT next.tenant FROM names CROSS JOIN LATERAL (
        SELECT tenant FROM ${table} AS e WHERE e.tenant > names.tenant ORDER BY tenant LIMIT 1) AS next
    )
    SELECT names.tenant FROM names
    LEFT JOIN export_configs AS c USING (tenant) LEFT JOIN export_positions AS p USING (tenant)
    WHERE ${exportedBySchedule(rules)} AND (p.tenant IS NULL OR p.floor < ${to}::timestamptz)
    ORDER BY tenant`.execute(db);
  return rows.map(({ tenant }) => tenant);
}

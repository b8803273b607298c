import { type Kysely, sql } from 'kysely';
import { listSegments, type Segment } from '@sluice/store/layout/segments';
import { exportedBySchedule, type RetentionRules } from './retention-rules.ts';

/**
 * Finds the segments that are past the retention, and who still needs them. A segment is past it when its last event is. One
 * that is not sealed yet is not past it: its bounds are unknown.
 */
export async function judgeSegments(db: Kysely<unknown>, rules: RetentionRules): Promise<JudgedSegment[]> {
  const { now, days } = rules;
  if (days === 0) return [];
  const cutoff = now.getTime() - days * DAY_MS;
  const attached = await attachedTables(db);
  const due = (await listSegments(db)).filter(
    ({ relation, state, storedTo }) =>
      state === 'sealed' && (storedTo === null || Date.parse(storedTo) <= cutoff) && attached.has(relation),
  );
  const judged: JudgedSegment[] = [];
  for (const segment of due) judged.push({ segment, ...(await tenantsOf(db, segment, rules)) });
  return judged;
}

/** A segment that is past EVENT_RETENTION_DAYS, with the tenants that need their events in it. */
export interface JudgedSegment {
  readonly segment: Segment;
  /** Tenants with events in it whose own retention is longer and not over: it stays for them. */
  readonly keepers: readonly string[];
  /** Tenants with events in it that their scheduled export has not taken yet: it waits for that. */
  readonly heldBackBy: readonly string[];
  /** Number of tenants with events in it that are neither. */
  readonly others: number;
}

const DAY_MS = 24 * 60 * 60_000;

/** A table that an operator has detached is the operator's. */
async function attachedTables(db: Kysely<unknown>): Promise<ReadonlySet<string>> {
  const { rows } = await sql<{ relation: string }>`
    SELECT c.relname AS relation FROM segments AS s JOIN pg_class AS c ON c.oid = to_regclass(s.relation)
    WHERE c.relispartition`.execute(db);
  return new Set(rows.map(({ relation }) => relation));
}

/**
 * Sorts the tenants of a segment. They are found by jumping from one to the next in an index. A scheduled export has taken
 * all of the segment when the floor of its position is at the segment's end or later.
 */
async function tenantsOf(
  db: Kysely<unknown>,
  { relation, storedTo }: Segment,
  rules: RetentionRules,
): Promise<Omit<JudgedSegment, 'segment'>> {
  const table = sql.table(relation);
  const { rows } = await sql<{ tenant: string; keeps: boolean; holds: boolean }>`
    WITH RECURSIVE names AS (
      (SELECT tenant FROM ${table} ORDER BY tenant LIMIT 1)
      UNION ALL
      SELECT next.tenant FROM names CROSS JOIN LATERAL (
        SELECT tenant FROM ${table} AS e WHERE e.tenant > names.tenant ORDER BY tenant LIMIT 1) AS next
    )
    SELECT names.tenant,
           coalesce(r.days = 0 OR ${storedTo}::timestamptz > ${rules.now.toISOString()}::timestamptz - make_interval(days => r.days),
                    false) AS keeps,
           ${exportedBySchedule(rules)} AND (p.tenant IS NULL OR p.floor < ${storedTo}::timestamptz) AS holds
    FROM names LEFT JOIN tenant_retention AS r USING (tenant)
    LEFT JOIN export_configs AS c USING (tenant) LEFT JOIN export_positions AS p USING (tenant)
    ORDER BY tenant`.execute(db);
  const named = (which: typeof rows): string[] => which.map(({ tenant }) => tenant);
  return {
    keepers: named(rows.filter(({ keeps }) => keeps)),
    heldBackBy: named(rows.filter(({ holds }) => holds)),
    others: rows.filter(({ keeps, holds }) => !keeps && !holds).length,
  };
}

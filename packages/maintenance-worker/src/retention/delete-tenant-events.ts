import { type Kysely, type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Database } from '@sluice/store/database';
import { isoTime } from '@sluice/store/iso-time';
import { listSegments } from '@sluice/store/layout/segments';
import { byBlockRange } from './by-block-range.ts';
import { deleteSlices, type Doomed } from './delete-slices.ts';
import { exportedBySchedule, type RetentionRules } from './retention-rules.ts';

/** Deletes the expired events of tenants with a shorter retention of their own. @returns the number of deleted events */
export async function deleteTenantEvents(database: Database, options: TenantExpiry): Promise<number> {
  const { signal, progress } = options;
  let deleted = 0;
  const count = (events: number): void => {
    deleted += events;
    progress(deleted);
  };
  for (const due of await planExpiry(database.db, options)) await expireDue(database, due, { signal, count });
  return deleted;
}

/**
 * Plans what retention deletes row by row: events of tenants whose retention is shorter than EVENT_RETENTION_DAYS. Events
 * that a tenant's scheduled export has not taken yet stay.
 */
export async function planExpiry(db: Kysely<unknown>, rules: RetentionRules): Promise<DueTenants[]> {
  const { now, days } = rules;
  const { rows } = await sql<DueTenants>`
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
  return rows;
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

/**
 * Deletes the events of one plan, segment by segment. The tenants' cursor moves with the slices, but never beyond the first
 * event of a segment that is still to come: segments overlap by as long as a transaction lasts.
 */
async function expireDue(
  database: Database,
  due: DueTenants,
  run: { signal: AbortSignal; count: (events: number) => void },
): Promise<void> {
  const { tenants, cutoff } = due;
  const parts = await partsOf(database, due);
  const moveTo = (until: string): Promise<unknown> =>
    sql`
      UPDATE tenant_retention SET expired_to = ${until}::timestamptz
      WHERE tenant = ANY(${tenants}::text[]) AND (expired_to IS NULL OR expired_to < ${until}::timestamptz)`.execute(
      database.db,
    );
  for (const [at, part] of parts.entries()) {
    const rest = parts.slice(at + 1).map(({ from }) => from);
    const isPassed = await deleteSlices(database, part, {
      signal: run.signal,
      async passed(until, events) {
        run.count(events);
        await moveTo([until, ...rest].toSorted()[0]!);
      },
    });
    if (!isPassed) return;
  }
  if (!run.signal.aborted) await moveTo(cutoff);
}

/**
 * What is to be deleted, by segment, in the order of time. Each segment that may hold such events is asked for the first and
 * the last of them: the bounds of one that is not sealed are unknown.
 */
async function partsOf(database: Database, { tenants, cutoff, expiredTo }: DueTenants): Promise<Doomed[]> {
  const which = sql<SqlBool>`tenant = ANY(${tenants}::text[])`;
  const parts: Doomed[] = [];
  for (const { relation, state, storedFrom, storedTo } of await listSegments(database.db)) {
    if (state === 'expiring' || (storedFrom === null && state === 'sealed')) continue;
    const start = later(expiredTo, storedFrom);
    const end = storedTo !== null && storedTo < cutoff ? storedTo : cutoff;
    if (start !== null && start >= end) continue;
    const bounds = await boundsOf(database, relation, doomed(start, end, which));
    if (bounds !== null) parts.push({ segment: relation, ...bounds, which });
  }
  return parts.toSorted((a, b) => (a.from < b.from ? -1 : 1));
}

function doomed(start: string | null, end: string, which: RawBuilder<SqlBool>): RawBuilder<SqlBool> {
  return sql<SqlBool>`
    stored_at >= ${start ?? '-infinity'}::timestamptz AND stored_at < ${end}::timestamptz AND ${which}`;
}

/** First and last `stored_at` of some events; null without any. */
async function boundsOf(
  database: Database,
  relation: string,
  where: RawBuilder<SqlBool>,
): Promise<{ from: string; to: string } | null> {
  const { rows } = await byBlockRange(database, (db) =>
    sql<{ from: string | null; to: string | null }>`
      SELECT ${isoTime(sql`date_trunc('milliseconds', min(stored_at))`)} AS "from",
             ${isoTime(sql`date_trunc('milliseconds', max(stored_at)) + interval '1 millisecond'`)} AS "to"
      FROM ${sql.table(relation)} WHERE ${where}`.execute(db),
  );
  const { from, to } = rows[0]!;
  return from === null || to === null ? null : { from, to };
}

function later(one: string | null, other: string | null): string | null {
  if (one === null || other === null) return one ?? other;
  return one > other ? one : other;
}

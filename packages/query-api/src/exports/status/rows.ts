import { type Kysely, type RawBuilder, sql } from 'kysely';
import { environmentConfig, type ExportConfig, readExportConfigs } from '@sluice/exports/export-config';
import { nextDue } from '@sluice/exports/export-schedule';
import type { ExportSettings } from '@sluice/exports/export-settings';
import { isoTime } from '@sluice/store/iso-time';
import type { List, Place } from '../../http/paging.ts';
import { utc } from '../../sql/utc.ts';
import { tenantsWithWaiting } from './tenants-with-waiting.ts';

interface Row {
  tenant: string;
  fenced_at: string | null;
  lag_seconds: number | null;
  scheduled_at: string | null;
  last_scheduled: string | null;
  runs: string;
  rows: string;
  bytes: string;
  last_run: string | null;
  last_error: string | null;
}

/** The state of one tenant's exports. */
export interface TenantExports {
  readonly tenant: string;
  readonly [property: string]: unknown;
}

/** The list of tenants that have a configuration or a run. */
export const EXPORTING_TENANTS: List = { of: 'tenants with exports', key: { tenant: 'text' }, order: 'asc' };

/**
 * Reads the state of the exports of tenants, by name.
 *
 * @param tenant null for all that have a configuration or a run
 */
export async function readExportStatus(
  db: Kysely<unknown>,
  options: { tenant: string | null; after: Place | undefined; limit: number; settings: ExportSettings },
): Promise<readonly TenantExports[]> {
  const { tenant, after, limit, settings } = options;
  const names = tenant === null ? tenantsAfter(after?.[0] ?? '', limit) : sql`SELECT ${tenant}::text AS tenant`;
  const waiting = await tenantsWithWaiting(db, names);
  const { rows } = await sql<Row>`
    SELECT t.tenant, p.fenced_at, p.lag_seconds, s.scheduled_at, ls.last_scheduled, r.runs, r.rows, r.bytes, l.last_run, e.last_error
    FROM (${names}) t
    LEFT JOIN LATERAL (
      SELECT ${utc('fenced_at')}, CASE WHEN p.tenant = ANY(${waiting}::text[]) THEN extract(epoch FROM now() - p.fenced_at)::float ELSE 0 END AS lag_seconds
      FROM export_positions p WHERE p.tenant = t.tenant) p ON true
    LEFT JOIN LATERAL (
      SELECT ${utc('scheduled_at')} FROM (
        SELECT max(created_at) AS scheduled_at FROM export_runs WHERE tenant = t.tenant AND trigger = 'schedule') m) s ON true
    CROSS JOIN LATERAL (
      SELECT coalesce(jsonb_object_agg(state, runs), '{}')::text AS runs, coalesce(sum(done), 0) AS rows,
             coalesce(sum(written), 0) AS bytes
      FROM (SELECT state, count(*) AS runs, sum(rows_done) FILTER (WHERE state = 'succeeded') AS done,
                   sum(bytes_done) FILTER (WHERE state = 'succeeded') AS written
            FROM export_runs WHERE tenant = t.tenant GROUP BY state) c) r
    LEFT JOIN LATERAL (${lastRun(sql`true`)}) l (last_run) ON true
    LEFT JOIN LATERAL (${lastRun(sql`error IS NOT NULL`)}) e (last_error) ON true
    LEFT JOIN LATERAL (${lastRun(sql`trigger = 'schedule'`)}) ls (last_scheduled) ON true
    ORDER BY t.tenant`.execute(db);
  const configs = await readExportConfigs(
    db,
    rows.map((row) => row.tenant),
  );
  return rows.map((row) => statusOf(row, configs.get(row.tenant) ?? pausedByFailure(row, settings)));
}

/** Names of tenants with a configuration or a run. Of millions of runs it reads one index entry for each tenant. */
function tenantsAfter(after: string, limit: number): RawBuilder<unknown> {
  return sql`
    WITH RECURSIVE exported AS (
      (SELECT tenant FROM export_runs WHERE tenant > ${after} ORDER BY tenant LIMIT 1)
      UNION ALL
      SELECT next.tenant FROM exported CROSS JOIN LATERAL (
        SELECT r.tenant FROM export_runs r WHERE r.tenant > exported.tenant ORDER BY r.tenant LIMIT 1) next
    )
    (SELECT tenant FROM exported LIMIT ${limit})
    UNION (SELECT tenant FROM export_configs WHERE tenant > ${after} ORDER BY tenant LIMIT ${limit})
    ORDER BY tenant LIMIT ${limit}`;
}

function lastRun(condition: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`
    SELECT jsonb_build_object('id', id, 'state', state, 'trigger', trigger, 'created_at', ${isoTime('created_at')},
                              'finished_at', ${isoTime('finished_at')}, 'rows_done', rows_done, 'error_code', error_code, 'error', error)::text
    FROM export_runs WHERE tenant = t.tenant AND ${condition} ORDER BY created_at DESC, id DESC LIMIT 1`;
}

/** The configuration of the variables; paused when its last scheduled run has failed, as in the job `queue-exports`. */
function pausedByFailure({ tenant, last_scheduled: text }: Row, settings: ExportSettings): ExportConfig {
  const config = environmentConfig(tenant, settings);
  const last = text === null ? null : (JSON.parse(text) as Record<string, string | null>);
  if (last === null || last['state'] !== 'failed') return config;
  const { error_code: code, error: reason, finished_at: since, created_at: createdAt } = last;
  return { ...config, paused: { code: code ?? 'unknown', reason: reason ?? '', since: since ?? createdAt ?? '' } };
}

function statusOf(row: Row, config: ExportConfig): TenantExports {
  const lastError = row.last_error === null ? null : (JSON.parse(row.last_error) as Record<string, unknown>);
  return {
    tenant: row.tenant,
    source: config.source,
    enabled: config.enabled,
    schedule: config.schedule,
    next_run_at: nextRunAt(config, row.scheduled_at),
    paused: config.paused,
    position: row.fenced_at === null ? null : { fenced_at: row.fenced_at },
    lag_seconds: row.lag_seconds === null ? null : Math.round(row.lag_seconds * 1000) / 1000,
    last_run: row.last_run === null ? null : (JSON.parse(row.last_run) as unknown),
    last_error:
      lastError === null
        ? null
        : {
            run_id: lastError['id'],
            code: lastError['error_code'],
            message: lastError['error'],
            at: lastError['finished_at'] ?? lastError['created_at'],
          },
    totals: { runs: JSON.parse(row.runs) as unknown, rows: Number(row.rows), bytes: Number(row.bytes) },
  };
}

/**
 * When the next scheduled run starts; a time in the past when it is due. Null when no clock decides that: a threshold,
 * on demand, disabled, paused.
 */
export function nextRunAt(config: ExportConfig, lastScheduledAt: string | null): Date | null {
  if (!config.enabled || config.paused !== null) return null;
  // Each minute: the last run is long ago when no event came since.
  if ('every' in config.schedule && config.schedule.every === 'minute') return nextDue(config.schedule, new Date());
  const since = lastScheduledAt ?? config.updatedAt;
  return nextDue(config.schedule, since === null ? new Date() : new Date(since));
}

import { randomUUID } from 'node:crypto';
import { type Kysely, type RawBuilder, sql } from 'kysely';
import { messageOf } from '@sluice/errors/message-of';
import { environmentConfig, type ExportConfig, readExportConfigs } from '@sluice/exports/export-config';
import { type ExportSchedule, nextDue } from '@sluice/exports/export-schedule';
import type { ExportSettings } from '@sluice/exports/export-settings';
import type { Database } from '@sluice/store/database';
import { readFence } from '@sluice/store/fence/fence';
import { readableSegments, type ReadableSegment } from '@sluice/store/layout/readable-segments';
import { countWaiting, type Waiting } from './count-waiting.ts';
import { movePastNothing, positionLock } from './move-past-nothing.ts';
import { tenantsWithEvents } from './tenants-with-events.ts';

/**
 * Queues a scheduled run for every tenant that is due and has none open. Missed ticks make one run together: it exports
 * everything from the tenant's position on. Ticks are missed while no worker runs or a run takes long.
 *
 * A tenant without a configuration of its own can't be paused. When its export to the destination of the variables has
 * failed for good, it waits until an operator retries the run, or restarts the worker with variables that may be fixed.
 *
 * A schedule that cannot be worked out is a failure of its tenant, and does not stop the others.
 *
 * @param options.knownSince when the variables were read
 */
export async function queueDueExports(
  database: Database,
  { settings, knownSince, signal }: { settings: ExportSettings; knownSince: Date; signal: AbortSignal },
): Promise<Queued> {
  const db: Kysely<unknown> = database.db;
  const fence = await readFence(db);
  const waiting: Waiting = { fence, segments: await readableSegments(db) };
  const runs: string[] = [];
  const failures: string[] = [];
  const lists = [readConfigured, ...(settings.defaults.enabled ? [readOthers] : [])];
  for (const read of lists) {
    for (let after: string | null = ''; after !== null && !signal.aborted;) {
      const { candidates, next }: Candidates = await read(db, waiting.segments, after);
      const configs = await readExportConfigs(
        db,
        candidates.map(({ tenant }) => tenant),
      );
      for (const candidate of candidates) {
        if (signal.aborted) break;
        const own = configs.get(candidate.tenant);
        if (own === undefined && Number(candidate.failed_ms ?? 0) > knownSince.getTime()) continue;
        const config = own ?? environmentConfig(candidate.tenant, settings);
        const due = await isDue(database, config, candidate, waiting).catch((error: unknown) => {
          if (!(error instanceof ScheduleError)) throw error;
          failures.push(`${candidate.tenant}: ${error.message}`);
          return false;
        });
        if (!due) continue;
        const id = await queueRun(db, config, candidate.last_id);
        if (id !== null) runs.push(id);
      }
      after = next;
    }
  }
  return { runs, failures };
}

/** What was queued. */
export interface Queued {
  /** Ids of the runs. */
  readonly runs: readonly string[];
  /** Tenants whose schedule is never due or cannot be worked out, each with the reason. */
  readonly failures: readonly string[];
}

/** A schedule without a next time. */
class ScheduleError extends Error {}

/** Tenants that are read together. */
const PAGE = 500;

/** A tenant without an open scheduled run, with the times that decide whether it is due. */
interface Candidate {
  tenant: string;
  /** Its newest scheduled run. */
  last_id: string | null;
  /** When that run was queued; without one, when its configuration was made or one of its events was stored. */
  since_ms: string;
  /** By the server's clock; all in milliseconds. */
  now_ms: string;
  /** When its newest scheduled run failed; null when it did not. */
  failed_ms: string | null;
}

async function isDue(
  database: Database,
  { tenant, schedule }: ExportConfig,
  { since_ms: sinceMs, now_ms: nowMs }: Candidate,
  waiting: Waiting,
): Promise<boolean> {
  const db: Kysely<unknown> = database.db;
  if ('manual' in schedule) return false;
  if ('every_events' in schedule) {
    return (await countWaiting(db, tenant, waiting, schedule.every_events)) >= schedule.every_events;
  }
  const due = dueAfter(schedule, new Date(Number(sinceMs)));
  if (due.getTime() > Number(nowMs)) return false;
  if (!('every' in schedule) || schedule.every !== 'minute') return true;
  if ((await countWaiting(db, tenant, waiting, 1)) > 0) return true;
  // Each minute without an event would leave an empty run.
  await movePastNothing(database, tenant, waiting.fence);
  return false;
}

/** @throws ScheduleError when there is no such time: null must never be taken for "not due yet" */
function dueAfter(schedule: ExportSchedule, since: Date): Date {
  let due: Date | null;
  try {
    due = nextDue(schedule, since);
  } catch (error) {
    throw new ScheduleError(messageOf(error), { cause: error });
  }
  if (due === null) throw new ScheduleError(`the schedule ${JSON.stringify(schedule)} is never due`);
  return due;
}

/**
 * Queues one run.
 *
 * @param lastId the scheduled run that was the newest when this one was found to be due
 * @returns null when another worker was faster
 */
async function queueRun(db: Kysely<unknown>, config: ExportConfig, lastId: string | null): Promise<string | null> {
  const { tenant, format, compression, destination, backup } = config;
  const { rows } = await sql<{ id: string }>`
    INSERT INTO export_runs (id, tenant, trigger, state, format, compression, destination, backup, requested_by)
    SELECT ${randomUUID()}::uuid, ${tenant}, 'schedule', 'queued', ${format}, ${compression},
           ${JSON.stringify(destination)}::jsonb, ${backup === null ? null : JSON.stringify(backup)}::jsonb, 'schedule'
    FROM (SELECT ${positionLock(tenant)}) AS locked
    WHERE ${lastScheduled(sql`${tenant}::text`)} IS NOT DISTINCT FROM ${lastId}::uuid
    ON CONFLICT DO NOTHING RETURNING id`.execute(db);
  return rows[0]?.id ?? null;
}

/** Some candidates, in the order of their names. */
interface Candidates {
  readonly candidates: readonly Candidate[];
  /** The name after which the next ones are; null when there are none. */
  readonly next: string | null;
}

async function readConfigured(db: Kysely<unknown>, _: readonly ReadableSegment[], after: string): Promise<Candidates> {
  const candidates = await readCandidates(db, configuredTenants(after));
  return { candidates, next: candidates.length < PAGE ? null : candidates.at(-1)!.tenant };
}

/** Tenants with events and without a configuration. */
async function readOthers(
  db: Kysely<unknown>,
  segments: readonly ReadableSegment[],
  after: string,
): Promise<Candidates> {
  const found = await tenantsWithEvents(db, segments, { after, limit: PAGE });
  const names = found.map(({ tenant }) => tenant);
  const since = found.map((each) => each.since);
  const candidates = await readCandidates(
    db,
    sql`SELECT tenant, since FROM unnest(${names}::text[], ${since}::timestamptz[]) AS names (tenant, since)
        WHERE NOT EXISTS (SELECT FROM export_configs c WHERE c.tenant = names.tenant)`,
  );
  return { candidates, next: found.length < PAGE ? null : names.at(-1)! };
}

async function readCandidates(db: Kysely<unknown>, tenants: RawBuilder<unknown>): Promise<Candidate[]> {
  const { rows } = await sql<Candidate>`
    SELECT t.tenant, l.id AS last_id,
           floor(extract(epoch FROM coalesce(l.created_at, t.since)) * 1000)::text AS since_ms,
           floor(extract(epoch FROM clock_timestamp()) * 1000)::text AS now_ms,
           CASE WHEN l.state = 'failed' THEN floor(extract(epoch FROM l.finished_at) * 1000)::text END AS failed_ms
    FROM (${tenants}) t
    LEFT JOIN export_runs l ON l.id = ${lastScheduled(sql`t.tenant`)}
    WHERE NOT EXISTS (
      SELECT FROM export_runs o WHERE o.tenant = t.tenant AND o.trigger IN ('schedule', 'rebase')
        AND o.state IN ('queued', 'running', 'paused'))
    ORDER BY t.tenant LIMIT ${PAGE}`.execute(db);
  return rows;
}

function lastScheduled(tenant: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`(SELECT n.id FROM export_runs n WHERE n.tenant = ${tenant} AND n.trigger = 'schedule'
              ORDER BY n.created_at DESC, n.id DESC LIMIT 1)`;
}

/** Tenants whose own configuration is enabled and not paused. */
function configuredTenants(after: string): RawBuilder<unknown> {
  return sql`SELECT tenant, updated_at AS since FROM export_configs
             WHERE enabled AND paused_at IS NULL AND tenant > ${after}`;
}

import { randomUUID } from 'node:crypto';
import { type Kysely, sql } from 'kysely';
import type { Principal } from '@sluice/access/principal';
import { ApiError } from '@sluice/errors/api-errors';
import { type ExportConfig, readExportConfig } from '@sluice/exports/export-config';
import type { ExportCompression, ExportFormat } from '@sluice/exports/export-formats';
import type { ExportSettings } from '@sluice/exports/export-settings';
import { noteAction } from '../../audit/commands.ts';
import { ownedBy } from '../../sql/owned-by.ts';
import { noSuchExport } from './rows.ts';

/** What decides whether a run may be changed. */
interface Run {
  tenant: string | null;
  trigger: string;
  state: string;
  destination: string;
  backup: string | null;
  /** Whether its manifest is published or about to be. */
  publishing: boolean;
}

/**
 * Queues a failed run again, inside the caller's transaction: the same window, to the present destination of the tenant.
 * It also ends the pause of the tenant's schedule.
 *
 * @throws ApiError `not_found`; `conflict` when it has not failed, or when a later run exports or has exported its window
 */
export async function retryExport(
  db: Kysely<unknown>,
  id: string,
  operator: Principal,
  settings: ExportSettings,
): Promise<void> {
  const run = await lockRun(db, id, operator);
  if (run.state !== 'failed')
    throw new ApiError('conflict', `Export run ${id} is ${run.state}; only a failed one can be retried.`);
  const { tenant } = run;
  if (run.trigger === 'schedule') await requireOpenWindow(db, id);
  let { destination, backup } = run;
  if (tenant !== null) {
    const config = await readExportConfig(db, tenant, settings);
    destination = JSON.stringify(config.destination);
    backup = config.backup === null ? null : JSON.stringify(config.backup);
  }
  // Files at the former destination are of no use to this attempt, so their manifest is deleted.
  await sql`
    UPDATE export_runs
    SET state = 'queued', attempts = 0, next_attempt_at = NULL, error_code = NULL, error = NULL, finished_at = NULL,
        rows_done = 0, bytes_done = 0, manifest = NULL, manifest_key = NULL,
        destination = ${destination}::jsonb, backup = ${backup}::jsonb
    WHERE id = ${id}::uuid`.execute(db);
  await sql`
    UPDATE export_configs SET paused_at = NULL, paused_code = NULL, paused_reason = NULL
    WHERE tenant = ${tenant}`.execute(db);
  await noteAction(db, operator, { action: 'exports.retry', affected: 1, details: { run_id: id, tenant } });
}

/**
 * Cancels a run that has not ended, inside the caller's transaction. The next scheduled run exports the window of a
 * cancelled one.
 *
 * @throws ApiError `not_found`, or `conflict` when it has ended or is publishing its manifest
 */
export async function cancelExport(db: Kysely<unknown>, id: string, operator: Principal): Promise<void> {
  const { state, tenant, publishing } = await lockRun(db, id, operator);
  if (!['queued', 'running', 'paused'].includes(state)) {
    throw new ApiError('conflict', `Export run ${id} is ${state}; only one that has not ended can be cancelled.`);
  }
  // Else the next run would export its window a second time.
  if (publishing) {
    throw new ApiError('conflict', `Export run ${id} is publishing its manifest; it is too late to cancel it.`);
  }
  await sql`
    UPDATE export_runs SET state = 'cancelled', finished_at = now(), next_attempt_at = NULL
    WHERE id = ${id}::uuid`.execute(db);
  await noteAction(db, operator, {
    action: 'exports.cancel',
    affected: 1,
    details: { run_id: id, tenant, from: state },
  });
}

/** @throws ApiError `conflict` when the run has no manifest to compare with */
export async function requireSucceeded(db: Kysely<unknown>, id: string, operator: Principal): Promise<void> {
  const { state } = await lockRun(db, id, operator);
  if (state !== 'succeeded')
    throw new ApiError('conflict', `Export run ${id} is ${state}; only a succeeded one can be verified.`);
}

/** A scheduled run moves the tenant's position, so it may only start from where the position still is. */
async function requireOpenWindow(db: Kysely<unknown>, id: string): Promise<void> {
  const { rows } = await sql<{ untouched: boolean; other: string | null }>`
    SELECT r.to_fence IS NULL OR r.from_position->>'tx' IS NOT DISTINCT FROM
             (SELECT p.tx::text FROM export_positions p WHERE p.tenant = r.tenant) AS untouched,
           (SELECT o.id FROM export_runs o
            WHERE o.tenant = r.tenant AND o.trigger IN ('schedule', 'rebase') AND o.state IN ('queued', 'running', 'paused')
            LIMIT 1) AS other
    FROM export_runs r WHERE r.id = ${id}::uuid`.execute(db);
  const { untouched = false, other = null } = rows[0] ?? {};
  if (other !== null) throw new ApiError('conflict', `Run ${other} exports the window of run ${id} already.`);
  if (!untouched)
    throw new ApiError('conflict', `A later run has exported the window of run ${id}; nothing is left for it.`);
}

async function lockRun(db: Kysely<unknown>, id: string, operator: Principal): Promise<Run> {
  const { rows } = await sql<Run>`
    SELECT tenant, trigger, state, destination::text AS destination, backup::text AS backup,
           manifest IS NOT NULL AS publishing
    FROM export_runs WHERE id = ${id}::uuid AND ${ownedBy(operator)} FOR UPDATE`.execute(db);
  const [run] = rows;
  if (run === undefined) throw noSuchExport(id);
  return run;
}

/** What to export: the tenant's rows stored in [since, until), where null means no limit. */
export interface ExportRequest {
  readonly config: ExportConfig;
  readonly format: ExportFormat;
  readonly compression: ExportCompression;
  readonly since: string | null;
  readonly until: string | null;
}

/**
 * Requests a run, inside the caller's transaction. Its destination is frozen.
 *
 * @returns its id
 */
export async function requestExport(
  db: Kysely<unknown>,
  { config, format, compression, since, until }: ExportRequest,
  operator: Principal,
): Promise<string> {
  const id = randomUUID();
  const { tenant, destination, backup } = config;
  await sql`
    INSERT INTO export_runs (id, tenant, trigger, state, format, compression, destination, backup, since, until, requested_by)
    VALUES (${id}::uuid, ${tenant}, 'request', 'queued', ${format}, ${compression}, ${JSON.stringify(destination)}::jsonb,
            ${backup === null ? null : JSON.stringify(backup)}::jsonb, ${since}::timestamptz, ${until}::timestamptz,
            ${operator.name})`.execute(db);
  await noteAction(db, operator, {
    action: 'exports.run',
    affected: 1,
    details: { run_id: id, tenant, format, compression, since, until },
  });
  return id;
}

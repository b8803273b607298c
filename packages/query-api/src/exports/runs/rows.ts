import { type Kysely, type RawBuilder, sql, type SqlBool } from 'kysely';
import type { Principal } from '@sluice/access/principal';
import { ApiError } from '@sluice/errors/api-errors';
import type { DestinationSettings } from '@sluice/exports/destination';
import type { ExportSettings } from '@sluice/exports/export-settings';
import { fileLocation } from '@sluice/exports/file-location';
import { payloadForReading } from '@sluice/store/read-payload';
import { comesAfter, type List, NEWEST_FIRST, type Place, type ReadRows } from '../../http/paging.ts';
import { ownedBy } from '../../sql/owned-by.ts';
import { readChunk } from '../../sql/read-chunk.ts';
import { utc } from '../../sql/utc.ts';

/** States of an export run. */
export const EXPORT_STATES = ['queued', 'running', 'paused', 'succeeded', 'failed', 'cancelled'] as const;

/** An export run as the API shows it. */
export interface ExportRunStatus {
  readonly id: string;
  /** Null for the archive of a partition, which is of all tenants. */
  readonly tenant: string | null;
  readonly state: string;
  readonly rows_done: number;
  readonly rows_expected: number | null;
  readonly bytes_done: number;
  readonly files: readonly unknown[];
}

interface Row extends Record<string, unknown> {
  id: string;
  tenant: string | null;
  state: string;
  rows_done: string;
  rows_expected: string | null;
  bytes_done: string;
  destination: string;
  backup: string | null;
  files: string;
  manifest_key: string | null;
}

/** Reads one run. @throws ApiError `not_found`, also for one that the operator may not see */
export async function findExportRun(
  db: Kysely<unknown>,
  id: string,
  operator: Principal,
  settings: ExportSettings,
): Promise<ExportRunStatus> {
  const {
    rows: [run],
  } = await readExportRuns(db, sql<SqlBool>`id = ${id}::uuid`, operator, { limit: 1, settings });
  if (run === undefined) throw noSuchExport(id);
  return run;
}

/** The same for one that does not exist and for one of another tenant. */
export function noSuchExport(id: string): ApiError {
  return new ApiError('not_found', `There is no export run ${id}.`);
}

/** The list of all export runs. */
export const EXPORT_RUNS: List = { of: 'export runs', ...NEWEST_FIRST };

/** Selects a page of runs. A field that is null or undefined does not restrict. */
export interface ExportRunPage {
  readonly tenant: string | null;
  readonly state: string | null;
  readonly after: Place | undefined;
  readonly limit: number;
}

/** Reads a page of runs, newest first. */
export async function listExportRuns(
  db: Kysely<unknown>,
  { tenant, state, after, limit }: ExportRunPage,
  operator: Principal,
  settings: ExportSettings,
): Promise<ReadRows<ExportRunStatus>> {
  const meant = sql<SqlBool>`${comesAfter(after, EXPORT_RUNS)} AND (${tenant}::text IS NULL OR tenant = ${tenant})
    AND (${state}::text IS NULL OR state = ${state})`;
  return readExportRuns(db, meant, operator, { limit, settings });
}

async function readExportRuns(
  db: Kysely<unknown>,
  condition: RawBuilder<SqlBool>,
  operator: Principal,
  { limit, settings }: { limit: number; settings: ExportSettings },
): Promise<ReadRows<ExportRunStatus>> {
  const found = sql`
    SELECT id, tenant, trigger, state, format, compression, destination::text AS destination, backup::text AS backup,
           partition, rows_done, rows_expected, bytes_done,
           -- Before it has succeeded, its manifest is not published yet.
           ${payloadForReading(sql`coalesce(CASE WHEN state = 'succeeded' THEN manifest END->'files', '[]')`)} AS files,
           CASE WHEN state = 'succeeded' THEN manifest_key END AS manifest_key, attempts, error_code, error, requested_by, ${utc('since')}, ${utc('until')},
           ${utc('next_attempt_at')}, ${utc('created_at')}, ${utc('started_at')}, ${utc('finished_at')}
    FROM (SELECT * FROM export_runs WHERE ${condition} AND ${ownedBy(operator)}
          ORDER BY created_at DESC, id DESC LIMIT ${limit}) r
    ORDER BY r.created_at DESC, r.id DESC`;
  const { rows, cut } = await readChunk<Row>(db, found, {
    order: sql`created_at DESC, id DESC`,
    chars: sql`length(files)`,
  });
  const runs = rows.map((row) => ({
    ...row,
    destination: JSON.parse(row.destination) as unknown,
    backup: row.backup === null ? null : (JSON.parse(row.backup) as unknown),
    rows_done: Number(row.rows_done),
    rows_expected: row.rows_expected === null ? null : Number(row.rows_expected),
    bytes_done: Number(row.bytes_done),
    // A list that is too long is the mark alone.
    files: [JSON.parse(row.files) as unknown].flat(),
    manifest_location: locationOf(row, operator, settings),
  }));
  return { rows: runs, cut };
}

/** Folders of this machine are shown to operators of all tenants only. */
function locationOf(
  { manifest_key: key, destination }: Row,
  operator: Principal,
  { exportDir }: ExportSettings,
): string | null {
  const settings = JSON.parse(destination) as DestinationSettings;
  if (key === null || (settings.kind === 'local' && operator.tenant !== null)) return null;
  return fileLocation(settings, key, exportDir);
}

import { type Kysely, sql } from 'kysely';
import type { DestinationProblem, DestinationSettings } from '@sluice/exports/destination';
import type { ExportCompression, ExportFormat } from '@sluice/exports/export-formats';
import type { Manifest } from '@sluice/exports/manifest';
import type { Fence, Position } from '@sluice/store/fence/fence';
import { isoTime } from '@sluice/store/iso-time';
import type { RunProblem } from './run-error.ts';

/** The part of a row of export_runs that an attempt needs. */
export interface ExportRun {
  readonly id: string;
  readonly tenant: string | null;
  readonly trigger: 'schedule' | 'request' | 'archive' | 'rebase';
  readonly format: ExportFormat;
  readonly compression: ExportCompression;
  readonly destination: DestinationSettings;
  readonly backup: DestinationSettings | null;
  /** ISO 8601 UTC with microseconds, as all times here. */
  readonly since: string | null;
  readonly until: string | null;
  readonly partition: string | null;
  /** Null for the beginning; only valid once `to` is set. */
  readonly from: Position | null;
  /** Null until the first start. */
  readonly to: Fence | null;
  /** What an earlier attempt has written and may have published; null when none came that far. */
  readonly publishing: Publishing | null;
  readonly attempts: number;
  readonly createdAt: string;
}

/** A manifest whose files are all written. */
export interface Publishing {
  readonly manifest: Manifest;
  /** Null when it is not published: a scheduled run found nothing. */
  readonly key: string | null;
}

interface RunRow {
  id: string;
  tenant: string | null;
  trigger: ExportRun['trigger'];
  format: ExportFormat;
  compression: ExportCompression;
  destination: string;
  backup: string | null;
  since: string | null;
  until: string | null;
  partition: string | null;
  from_position: string | null;
  to_fence: string | null;
  manifest: string | null;
  manifest_key: string | null;
  attempts: number;
  created_at: string;
}

const RUN_COLUMNS = sql`
  id, tenant, trigger, format, compression, destination::text AS destination, backup::text AS backup,
  ${isoTime('since')} AS since, ${isoTime('until')} AS until, partition, from_position::text AS from_position, to_fence::text AS to_fence,
  manifest::text AS manifest, manifest_key, attempts,
  ${isoTime('created_at')} AS created_at`;

/**
 * Marks a due run as running. One that is marked already was left by a worker that died: that was an attempt.
 *
 * @returns null when it is not due, has ended, or is paused
 */
export async function takeRun(db: Kysely<unknown>, id: string): Promise<ExportRun | null> {
  const { rows } = await sql<RunRow>`
    UPDATE export_runs
    SET state = 'running', started_at = coalesce(started_at, clock_timestamp()), next_attempt_at = NULL,
        rows_done = 0, bytes_done = 0, finished_at = NULL,
        attempts = attempts + CASE state WHEN 'running' THEN 1 ELSE 0 END
    WHERE id = ${id}::uuid AND state IN ('queued', 'running')
      AND (next_attempt_at IS NULL OR next_attempt_at <= clock_timestamp())
    RETURNING ${RUN_COLUMNS}`.execute(db);
  const row = rows[0];
  if (row === undefined) return null;
  return {
    ...row,
    destination: JSON.parse(row.destination) as DestinationSettings,
    backup: row.backup === null ? null : (JSON.parse(row.backup) as DestinationSettings),
    from: row.from_position === null ? null : (JSON.parse(row.from_position) as Position),
    to: row.to_fence === null ? null : (JSON.parse(row.to_fence) as Fence),
    publishing:
      row.manifest === null ? null : { manifest: JSON.parse(row.manifest) as Manifest, key: row.manifest_key },
    createdAt: row.created_at,
  };
}

/** Writes the progress of a run. @returns false when the run is no longer running: cancelled, paused or ended */
export async function noteProgress(db: Kysely<unknown>, id: string, rows: number, bytes: number): Promise<boolean> {
  const { rows: updated } = await sql<object>`
    UPDATE export_runs SET rows_done = ${rows}, bytes_done = ${bytes}
    WHERE id = ${id}::uuid AND state = 'running' RETURNING id`.execute(db);
  return updated.length === 1;
}

/**
 * Writes the manifest to the run before it is published. From here on the run can't be cancelled. When the worker dies,
 * the next one publishes the same manifest: no other run ever exports this window.
 *
 * @param lock the connection that holds the lock: when that is lost, this fails
 * @returns false when the run is no longer running: cancelled or ended
 */
export async function beginPublishing(
  lock: Kysely<unknown>,
  id: string,
  { manifest, key }: Publishing,
): Promise<boolean> {
  const { rows } = await sql<object>`
    UPDATE export_runs
    SET manifest = ${JSON.stringify(manifest)}::jsonb, manifest_key = ${key}, rows_done = ${manifest.rows},
        bytes_done = ${manifest.bytes}
    WHERE id = ${id}::uuid AND state = 'running' RETURNING id`.execute(lock);
  return rows.length === 1;
}

/** Queues a run again that an ordered stop interrupted: that was no failed attempt. */
export async function queueAgain(db: Kysely<unknown>, id: string): Promise<void> {
  await sql`UPDATE export_runs SET state = 'queued' WHERE id = ${id}::uuid AND state = 'running'`.execute(db);
}

/** Queues a run for its next attempt, after a wait, and counts the attempt that failed. */
export async function putOff(
  db: Kysely<unknown>,
  id: string,
  why: { code: RunProblem | DestinationProblem; message: string; waitMs: number },
): Promise<void> {
  await sql`
    UPDATE export_runs
    SET state = 'queued', attempts = attempts + 1, error_code = ${why.code}, error = ${why.message},
        next_attempt_at = clock_timestamp() + make_interval(secs => ${why.waitMs / 1000})
    WHERE id = ${id}::uuid AND state = 'running'`.execute(db);
}

/**
 * Fails a run that retrying can't help. A scheduled run also pauses its tenant's schedule. Its window is retained,
 * because the position has not moved.
 */
export async function failRun(
  db: Kysely<unknown>,
  id: string,
  why: { code: RunProblem | DestinationProblem; message: string },
): Promise<void> {
  await sql`
    WITH failed AS (
      UPDATE export_runs
      SET state = 'failed', attempts = attempts + 1, error_code = ${why.code}, error = ${why.message},
          finished_at = clock_timestamp(), manifest = NULL, manifest_key = NULL
      WHERE id = ${id}::uuid AND state = 'running' RETURNING tenant, trigger
    )
    UPDATE export_configs c
    SET paused_at = clock_timestamp(), paused_code = ${why.code}, paused_reason = ${why.message}
    FROM failed WHERE c.tenant = failed.tenant AND failed.trigger = 'schedule'`.execute(db);
}

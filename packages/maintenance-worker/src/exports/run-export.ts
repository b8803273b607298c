import { kyselyOf } from '@sluice/shared/database/kysely-of';
import type { Orm } from '@sluice/shared/database/orm';
import { withAdvisoryLock } from '@sluice/shared/database/with-advisory-lock';
import type { Destination } from '@sluice/shared/exports/destination';
import type { ExportSettings } from '@sluice/shared/exports/export-settings';
import { type Manifest, MANIFEST_NAME, type ManifestFile, manifestText } from '@sluice/shared/exports/manifest';
import { folderName } from '@sluice/shared/exports/safe-key';
import type { Logger } from '@sluice/shared/runtime/logger';
import { VERSION } from '@sluice/shared/runtime/version';
import { type Kysely, sql } from 'kysely';
import { csvFormat } from './csv-format.ts';
import { EXPORT_COLUMNS, type ExportRow } from './export-row.ts';
import { type ExportRun, noteProgress, takeRun } from './export-run.ts';
import { fixWindow, manifestWindow, rowsOf, type Window } from './fix-window.ts';
import { jsonFormat } from './json-format.ts';
import { ndjsonFormat } from './ndjson-format.ts';
import { openRunDestinations } from './open-run-destinations.ts';
import { parquetFormat } from './parquet-format.ts';
import { publishManifest } from './publish-manifest.ts';
import { readInBatches } from './read-in-batches.ts';
import type { FileFormat } from './row-format.ts';
import { succeedRun } from './succeed-run.ts';
import { writeFiles } from './write-files.ts';

/** What an export needs. */
export interface ExportContext {
  /** Its statements may take long; see EXPORT_TIMEOUT_MS. */
  readonly orm: Orm;
  readonly settings: ExportSettings;
  readonly logger: Logger;
  /** A file ends behind the batch with which it reaches this. */
  readonly maxFileBytes: number;
}

/** How often progress is written to Postgres, and a cancel noticed, in milliseconds. */
const PROGRESS_MS = 1_000;

/**
 * Runs one attempt of an export; the row in Postgres is the only truth about it:
 *
 *     queued ──► running ──► succeeded    the position moves in the same transaction
 *        ▲          ├──────► failed        until somebody changes something and retries it
 *        └──────────┘                      destination or Postgres away: again, after a while
 *
 * The window is fixed at the first start. Files are written to all destinations at once, then the manifest, the client's
 * one last; only what a manifest names counts. One process at a time does this for one run, by an advisory lock.
 *
 * @returns what was written; null when another process has the run, or there is nothing to do
 * @throws what ended the attempt: DestinationError, RunError, what Postgres said, or the signal's reason
 */
export async function runExport(id: string, context: ExportContext, signal: AbortSignal): Promise<Manifest | null> {
  let written: Manifest | null = null;
  await withAdvisoryLock(context.orm, `export:${id}`, async (lock) => {
    const run = await takeRun(lock, id);
    if (run === null) return;
    const window = await fixWindow(lock, run);
    const destinations = await openRunDestinations(kyselyOf(context.orm), run, context.settings);
    try {
      written = await writeRun(run, window, destinations, lock, context, signal);
    } finally {
      for (const destination of destinations) destination.close();
    }
  });
  return written;
}

async function writeRun(
  run: ExportRun,
  window: Window,
  destinations: readonly Destination[],
  lock: Kysely<unknown>,
  context: ExportContext,
  signal: AbortSignal,
): Promise<Manifest | null> {
  signal.throwIfAborted();
  const folder = folderOf(run);
  const rows = rowsOf(run, window);
  const format = formatOf(run, window);
  await sql`
    UPDATE export_runs SET rows_expected = (SELECT count(*) FROM events WHERE ${rows})
    WHERE id = ${run.id}::uuid`.execute(lock);
  // What an attempt that was killed left there; not every server can list it.
  for (const each of destinations) {
    await each
      .removeUnfinished(folder, signal)
      .catch((error: Error) =>
        context.logger.debug({ run: run.id, error: error.message }, 'leftovers are not removed'),
      );
  }
  const stop = new AbortController();
  const progress = progressWriter(run.id, lock, () => stop.abort(new Error('the run was cancelled')));
  const working = AbortSignal.any([signal, stop.signal]);
  const query = sql<ExportRow>`SELECT ${EXPORT_COLUMNS} FROM events WHERE ${rows}`;
  let files: ManifestFile[];
  try {
    files = await readInBatches(context.orm, query, (batches) =>
      writeFiles(folder, batches, {
        format,
        compression: run.compression,
        destinations,
        maxBytes: context.maxFileBytes,
        signal: working,
        onProgress: (more, bytes) => progress.add(more, bytes),
      }),
    );
  } catch (error) {
    if (stop.signal.aborted) return null;
    throw error;
  } finally {
    await progress.settle();
  }
  const manifest: Manifest = {
    manifest_version: 1,
    run_id: run.id,
    tenant: run.tenant,
    trigger: run.trigger,
    format: run.format,
    compression: run.compression,
    columns: format.columns,
    window: manifestWindow(run, window),
    files,
    rows: files.reduce((sum, file) => sum + file.rows, 0),
    bytes: files.reduce((sum, file) => sum + file.bytes, 0),
    created_at: new Date().toISOString(),
    sluice_version: VERSION,
  };
  // Nobody asked for a scheduled run, so one that finds nothing publishes nothing.
  const key = manifest.rows === 0 && run.trigger !== 'request' ? null : `${folder}/${MANIFEST_NAME}`;
  // Also proves that this process still holds the lock: with its connection it would have lost both.
  if (!(await noteProgress(lock, run.id, manifest.rows, manifest.bytes))) return null;
  if (key !== null) await publishManifest(key, manifestText(manifest), destinations, signal);
  await succeedRun(context.orm, run, window, manifest, key);
  return manifest;
}

/** `acme/2026/11/21/<run id>`: the day that the run was asked for, so that every attempt has the same folder. */
function folderOf(run: ExportRun): string {
  const day = run.createdAt.slice(0, 10).replaceAll('-', '/');
  return `${folderName(run.tenant ?? '')}/${day}/${run.id}`;
}

function formatOf(run: ExportRun, window: Window): FileFormat<ExportRow> {
  const { tenant, id, trigger, createdAt } = run;
  const metadata = { run_id: id, tenant, trigger, requested_at: createdAt, window: manifestWindow(run, window) };
  return { ndjson: ndjsonFormat, json: jsonFormat(metadata), csv: csvFormat, parquet: parquetFormat }[run.format];
}

/** Writes progress now and then, one statement at a time, on the connection that holds the lock. */
function progressWriter(id: string, lock: Kysely<unknown>, onGone: () => void) {
  let rows = 0;
  let lastAt = performance.now();
  let writing: Promise<void> | null = null;
  return {
    /** Bytes are those of the current file. */
    add(more: number, bytes: number): void {
      rows += more;
      const now = performance.now();
      if (writing !== null || now - lastAt < PROGRESS_MS) return;
      lastAt = now;
      writing = noteProgress(lock, id, rows, bytes)
        .then((alive) => {
          if (!alive) onGone();
        })
        // A lock that is lost with its connection is noticed before the manifest.
        .catch(() => {})
        .finally(() => {
          writing = null;
        });
    },
    async settle(): Promise<void> {
      await writing;
    },
  };
}

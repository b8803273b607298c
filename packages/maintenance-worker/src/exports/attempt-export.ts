import { type Kysely, type SqlBool, sql } from 'kysely';
import type { Logger } from '@sluice/daemon/log/logger';
import { activeTraceparent } from '@sluice/daemon/telemetry/trace-context';
import { untraced } from '@sluice/daemon/telemetry/untraced';
import type { Destination } from '@sluice/exports/destination';
import type { ExportSettings } from '@sluice/exports/export-settings';
import { type Manifest, MANIFEST_NAME, type ManifestFile, manifestText } from '@sluice/exports/manifest';
import { folderName } from '@sluice/exports/safe-key';
import { withAdvisoryLock } from '@sluice/store/advisory-lock';
import type { Database } from '@sluice/store/database';
import { inSegments, readableSegments } from '@sluice/store/layout/readable-segments';
import { oldestFirst } from '@sluice/store/layout/walk-segments';
import { inRunTrace } from '../running/run-trace.ts';
import { MAX_ATTEMPTS } from './after-failure.ts';
import { countExpected } from './count-expected.ts';
import { csvFormat } from './csv-format.ts';
import { type ExportRow, exportRows } from './export-row.ts';
import { beginPublishing, type ExportRun, noteProgress, type Publishing, takeRun } from './export-states.ts';
import { fixWindow, manifestWindow, rowsOf, segmentsOf, type Window } from './fix-window.ts';
import { jsonFormat } from './json-format.ts';
import { makeManifest } from './make-manifest.ts';
import { ndjsonFormat } from './ndjson-format.ts';
import { openRunDestinations } from './open-run-destinations.ts';
import { parquetFormat } from './parquet-format.ts';
import { publishManifest } from './publish-manifest.ts';
import { type Batches, readPartsInBatches } from './read-in-batches.ts';
import type { FileFormat } from './row-format.ts';
import { RunError } from './run-error.ts';
import { succeedRun } from './succeed-run.ts';
import { writeFiles } from './write-files.ts';

/**
 * Runs one attempt of an export. Its row in Postgres is the only truth about it:
 *
 *     queued ──► running ──► succeeded    the position moves in the same transaction
 *        ▲          ├──────► failed        until an operator fixes the cause and retries it
 *        └──────────┘                      destination or Postgres unavailable: retried after a wait
 *
 * The window is fixed at the first start. Files are written to all destinations at once. Then the manifest is written
 * to Postgres, to the backup and, last, to the client's destination: only files that a manifest names count. An attempt
 * that finds a manifest in Postgres publishes that one. An advisory lock lets one process at a time run an export.
 *
 * @returns null when another process has the run, or there is nothing to do
 * @throws what ended the attempt: DestinationError, RunError, an error of Postgres, or the signal's reason
 */
export async function attemptExport(
  id: string,
  context: ExportContext,
  signal: AbortSignal,
  { requestedBy, begun }: AttemptTrace = {},
): Promise<Attempt | null> {
  let attempt: Attempt | null = null;
  await withAdvisoryLock(context.database, `export:${id}`, async (lock) => {
    const run = await takeRun(lock, id);
    if (run === null) return;
    if (run.trigger === 'request' && run.attempts >= MAX_ATTEMPTS) {
      throw new RunError('too_many_attempts', `after ${run.attempts} attempts: the worker died during the last one`);
    }
    const { tenant, trigger, format } = run;
    const attributes = {
      'sluice.run.id': id,
      'sluice.run.trigger': trigger,
      'sluice.tenant': tenant ?? '',
      'sluice.export.format': format,
    };
    attempt = await inRunTrace('export events', { attributes, requestedBy }, async (span) => {
      begun?.(activeTraceparent());
      const ended = await attemptRun(run, lock, context, signal);
      span.setAttribute('sluice.run.state', ended.state);
      if (ended.state === 'succeeded')
        span.setAttributes({ 'sluice.rows': ended.manifest.rows, 'sluice.bytes': ended.manifest.bytes });
      return ended;
    });
  });
  return attempt;
}

/** What an export needs. */
export interface ExportContext {
  /** Its statements may take long; see EXPORT_TIMEOUT_MS. */
  readonly database: Database;
  readonly settings: ExportSettings;
  readonly logger: Logger;
  /** A file ends after the batch with which it reaches this. */
  readonly maxFileBytes: number;
}

/** How one attempt of an export ended. */
export type Attempt = { readonly state: 'succeeded'; readonly manifest: Manifest } | { readonly state: 'cancelled' };

/** How an attempt is traced. */
export interface AttemptTrace {
  /** `traceparent` of the request for the run. */
  readonly requestedBy?: string | null | undefined;
  /** Called with the `traceparent` of the attempt's own span, when the attempt begins. */
  readonly begun?: (traceparent: string | null) => void;
}

/** How often progress is written to Postgres and a cancel is noticed, in milliseconds. */
const PROGRESS_MS = 1_000;

async function attemptRun(
  run: ExportRun,
  lock: Kysely<unknown>,
  context: ExportContext,
  signal: AbortSignal,
): Promise<Attempt> {
  const window = await fixWindow(lock, run);
  const destinations = await openRunDestinations(context.database.db, run, context.settings);
  try {
    const ready = run.publishing ?? (await writeRun(run, window, destinations, lock, context, signal));
    // This also proves that the process still holds the lock: the lock ends with this connection.
    if (ready === null || !(await beginPublishing(lock, run.id, ready))) return { state: 'cancelled' };
    const { manifest, key } = ready;
    if (key !== null) await publishManifest(key, manifestText(manifest), destinations, signal);
    await succeedRun(context.database, run, window, ready);
    return { state: 'succeeded', manifest };
  } finally {
    for (const destination of destinations) destination.close();
  }
}

/** Writes the files. @returns null when the run was cancelled meanwhile */
async function writeRun(
  run: ExportRun,
  window: Window,
  destinations: readonly Destination[],
  lock: Kysely<unknown>,
  context: ExportContext,
  signal: AbortSignal,
): Promise<Publishing | null> {
  signal.throwIfAborted();
  const folder = folderOf(run);
  const format = formatOf(run, window, context.settings);
  const segments = segmentsOf(await readableSegments(context.database.db), run, window);
  const parts = oldestFirst(segments).map((some) => sql<SqlBool>`${rowsOf(run, window)} AND ${inSegments(some)}`);
  const expected = await countExpected(context.database, parts);
  await sql`UPDATE export_runs SET rows_expected = ${expected} WHERE id = ${run.id}::uuid`.execute(lock);
  // Files of a killed attempt. Not every server can list them.
  for (const each of destinations) {
    await each
      .removeUnfinished(folder, signal)
      .catch((error: Error) =>
        context.logger.debug({ run: run.id, error: error.message }, 'unfinished files not removed'),
      );
  }
  const stop = new AbortController();
  const cancelled = new Error('the run was cancelled');
  const progress = progressWriter(run.id, lock, {
    onGone: () => stop.abort(cancelled),
    // Another process may begin the same run now; this one must not overwrite its files.
    onLost: (error) => stop.abort(error),
  });
  const working = AbortSignal.any([signal, stop.signal]);
  const truncated = countTruncated();
  let files: ManifestFile[];
  try {
    files = await readPartsInBatches(context.database, parts.map(exportRows), (batches) =>
      writeFiles(folder, truncated.watch(batches), {
        format,
        compression: run.compression,
        destinations,
        maxBytes: context.maxFileBytes,
        signal: working,
        onProgress: (more, bytes) => progress.add(more, bytes),
      }),
    );
  } catch (error) {
    if (stop.signal.reason === cancelled) return null;
    throw error;
  } finally {
    await progress.flush();
  }
  const manifest = makeManifest(run, format.columns, manifestWindow(run, window), files, truncated.rows());
  // A scheduled run that finds no event publishes nothing.
  return { manifest, key: manifest.rows === 0 && run.trigger !== 'request' ? null : `${folder}/${MANIFEST_NAME}` };
}

/** `acme/2026/11/21/<run id>`: the day on which the run was created, so that every attempt has the same folder. */
function folderOf(run: ExportRun): string {
  const day = run.createdAt.slice(0, 10).replaceAll('-', '/');
  return `${folderName(run.tenant ?? '')}/${day}/${run.id}`;
}

function formatOf(
  run: ExportRun,
  window: Window,
  { csvEscapeFormulas: escapeFormulas }: ExportSettings,
): FileFormat<ExportRow> {
  const { tenant, id, trigger, createdAt } = run;
  const metadata = { run_id: id, tenant, trigger, requested_at: createdAt, window: manifestWindow(run, window) };
  return {
    ndjson: ndjsonFormat,
    json: jsonFormat(metadata),
    csv: csvFormat({ escapeFormulas }),
    parquet: parquetFormat,
  }[run.format];
}

/** Counts the rows whose payload was too long to be read. */
function countTruncated() {
  let rows = 0;
  return {
    watch: (batches: Batches<ExportRow>): Batches<ExportRow> => ({
      async next() {
        const batch = await batches.next();
        rows += batch.filter(({ truncated }) => truncated).length;
        return batch;
      },
    }),
    rows: () => rows,
  };
}

/** Writes progress every PROGRESS_MS, one statement at a time, on the connection that holds the lock. */
function progressWriter(
  id: string,
  lock: Kysely<unknown>,
  { onGone, onLost }: { onGone: () => void; onLost: (error: unknown) => void },
) {
  let rows = 0;
  let lastAt = performance.now();
  let writing: Promise<void> | null = null;
  return {
    add(more: number, bytes: number): void {
      rows += more;
      const now = performance.now();
      if (writing !== null || now - lastAt < PROGRESS_MS) return;
      lastAt = now;
      writing = untraced(() => noteProgress(lock, id, rows, bytes))
        .then((alive) => {
          if (!alive) onGone();
        })
        .catch(onLost)
        .finally(() => {
          writing = null;
        });
    },
    async flush(): Promise<void> {
      await writing;
    },
  };
}

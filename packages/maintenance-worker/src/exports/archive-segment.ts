import { randomUUID } from 'node:crypto';
import { type Kysely, sql } from 'kysely';
import { messageOf } from '@sluice/errors/message-of';
import type { Destination, DestinationSettings } from '@sluice/exports/destination';
import { type Manifest, MANIFEST_NAME, type ManifestFile, manifestText } from '@sluice/exports/manifest';
import { inTransaction } from '@sluice/store/transaction';
import type { JobContext } from '../jobs/job.ts';
import { goneFrom } from '../retention/gone-from.ts';
import { ARCHIVE_COLUMNS, archiveFormat, type ArchiveRow } from './archive-format.ts';
import { checkAgainstManifest } from './check-against-manifest.ts';
import { makeManifest } from './make-manifest.ts';
import { openRunDestinations } from './open-run-destinations.ts';
import { publishManifest } from './publish-manifest.ts';
import { EXPORT_TIMEOUT_MS, readInBatches } from './read-in-batches.ts';
import { writeFiles } from './write-files.ts';

/**
 * Archives the events that go with a detached segment, then verifies the archive. Nothing may write to its table any more.
 *
 * The archive is Parquet with all columns, and all tenants but those that keep their events. It goes to S3_BACKUP_BUCKET, else
 * to the destination of the variables. A segment that was archived before is only verified again.
 *
 * @throws when the archive is not exactly those events; the table must not be dropped then
 */
export async function archiveSegment(
  context: JobContext,
  segment: ArchivedTable,
  signal: AbortSignal,
): Promise<Archived> {
  const db = context.database.db;
  const table = segment.relation;
  const rowsThere = await inTransaction(context.database, async (transaction) => {
    // Counting a segment takes longer than any other statement of a job.
    await sql.raw(`SET LOCAL statement_timeout = ${EXPORT_TIMEOUT_MS}`).execute(transaction);
    const { rows } = await sql<{ count: string }>`
      SELECT count(*) FROM ${sql.table(table)} WHERE ${goneFrom(segment)}`.execute(transaction);
    return Number(rows[0]?.count);
  });
  const run = (await archivedBefore(db, table)) ?? (await begin(context, db, table));
  const destinations = await openRunDestinations(db, run, context.config.exports);
  try {
    const manifest = run.manifest ?? (await write(run.id, run.key, segment, destinations, context, signal));
    if (manifest.rows !== rowsThere) {
      throw new Error(`the archive of ${table} has ${manifest.rows} rows, the table ${rowsThere}`);
    }
    for (const destination of destinations) {
      const { ok, problems } = await checkAgainstManifest(destination, run.key, manifest, signal);
      if (!ok) throw new Error(`the archive of ${table} is not as its manifest says: ${problems.join('; ')}`);
    }
    await sql`
      UPDATE export_runs SET state = 'succeeded', manifest = ${JSON.stringify(manifest)}::jsonb, manifest_key = ${run.key},
        rows_done = ${manifest.rows}, bytes_done = ${manifest.bytes}, finished_at = clock_timestamp()
      WHERE id = ${run.id}::uuid`.execute(db);
    return { manifestKey: run.key, rows: manifest.rows, bytes: manifest.bytes };
  } catch (error) {
    await sql`
      UPDATE export_runs SET state = 'failed', error_code = 'archive_failed', error = ${messageOf(error)},
        finished_at = clock_timestamp()
      WHERE id = ${run.id}::uuid`
      .execute(db)
      .catch(() => {});
    throw error;
  } finally {
    for (const destination of destinations) destination.close();
  }
}

/** Bytes of one file of an archive before the next one begins. */
const MAX_FILE_BYTES = 256 * 1024 * 1024;

/** A detached table of events. */
export interface ArchivedTable {
  readonly relation: string;
  /** Tenants whose events another segment has taken over. */
  readonly keepers: readonly string[];
}

/** A verified archive. */
export interface Archived {
  readonly manifestKey: string;
  readonly rows: number;
  readonly bytes: number;
}

interface ArchiveRun {
  readonly id: string;
  readonly tenant: null;
  readonly destination: DestinationSettings;
  readonly backup: null;
  readonly key: string;
  /** Null when the archive must be written first. */
  readonly manifest: Manifest | null;
}

async function archivedBefore(db: Kysely<unknown>, table: string): Promise<ArchiveRun | null> {
  const { rows } = await sql<{ id: string; destination: string; key: string; manifest: string }>`
    SELECT id, destination::text AS destination, manifest_key AS key, manifest::text AS manifest FROM export_runs
    WHERE trigger = 'archive' AND partition = ${table} AND state = 'succeeded'
    ORDER BY created_at DESC LIMIT 1`.execute(db);
  const [row] = rows;
  if (row === undefined) return null;
  const destination = JSON.parse(row.destination) as DestinationSettings;
  return { ...row, destination, manifest: JSON.parse(row.manifest) as Manifest, tenant: null, backup: null };
}

async function begin({ config }: JobContext, db: Kysely<unknown>, table: string): Promise<ArchiveRun> {
  const { destination: preset, backup } = config.exports.defaults;
  const destination = backup ?? preset;
  const id = randomUUID();
  await sql`
    UPDATE export_runs SET state = 'failed', error_code = 'interrupted', finished_at = clock_timestamp()
    WHERE trigger = 'archive' AND partition = ${table} AND state = 'running'`.execute(db);
  await sql`
    INSERT INTO export_runs (id, trigger, state, format, compression, destination, partition, requested_by, started_at)
    VALUES (${id}::uuid, 'archive', 'running', 'parquet', 'none', ${JSON.stringify(destination)}::jsonb, ${table},
            'retention', clock_timestamp())`.execute(db);
  return {
    id,
    tenant: null,
    destination,
    backup: null,
    key: `archive/${table}/${id}/${MANIFEST_NAME}`,
    manifest: null,
  };
}

async function write(
  id: string,
  key: string,
  segment: ArchivedTable,
  destinations: readonly Destination[],
  { database }: JobContext,
  signal: AbortSignal,
): Promise<Manifest> {
  const query = sql<ArchiveRow>`
    SELECT ${ARCHIVE_COLUMNS} FROM ${sql.table(segment.relation)} WHERE ${goneFrom(segment)}`;
  const files: ManifestFile[] = await readInBatches(database, query, (batches) =>
    writeFiles(key.slice(0, -MANIFEST_NAME.length - 1), batches, {
      format: archiveFormat,
      compression: 'none',
      destinations,
      maxBytes: MAX_FILE_BYTES,
      signal,
      onProgress: () => {},
    }),
  );
  const manifest = makeManifest(
    { id, tenant: null, trigger: 'archive', format: 'parquet', compression: 'none' },
    archiveFormat.columns,
    {
      since: null,
      until: null,
      partition: segment.relation,
      from_tx: null,
      to_tx: null,
      stored_before: null,
      system_identifier: null,
    },
    files,
  );
  await publishManifest(key, manifestText(manifest), destinations, signal);
  return manifest;
}

import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { DuckDBInstance } from '@duckdb/node-api';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { behindFence } from '@sluice/testkit/behind-fence';
import { post } from '@sluice/testkit/http';
import { type Operations, startOperations } from '@sluice/testkit/operations';
import { type Edit, needsRealEdits, readRealEdits, realEditsAreThere } from '@sluice/testkit/real-edits';
import type { TestDaemon } from '@sluice/testkit/test-daemon';

/** The part of the answer of `GET /export/runs/{id}` that matters here. */
interface Run {
  readonly id: string;
  readonly state: string;
  readonly rows_done: number;
  readonly files: readonly { readonly key: string; readonly rows: number }[];
}

/** Sends the real edits through the pipeline, exports them, and reads the files with other programs' readers. */
describe.skipIf(!realEditsAreThere)('30,000 real edits, exported', needsRealEdits, () => {
  let operations: Operations;
  let worker: TestDaemon;
  let folder: string;
  let edits: ReadonlyMap<string, Edit>;
  beforeAll(async () => {
    const sent = readRealEdits();
    edits = new Map(sent.map((edit) => [edit.eventId, edit]));
    folder = await mkdtemp(join(tmpdir(), 'sluice-exports-'));
    operations = await startOperations({ EXPORT_DIR: folder });
    const { pipeline } = operations;
    await pipeline.startWriter('writer-1');
    for (let at = 0; at < sent.length; at += 1_000) {
      await post(`${pipeline.ingest.url}/api/events`, { events: sent.slice(at, at + 1_000) });
    }
    await pipeline.drained();
    await behindFence(pipeline.database);
    worker = await operations.startMaintenance({ EXPORT_DIR: folder });
  });
  afterAll(async () => {
    await worker.stop();
    await operations.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** Requests an export of everything, and waits for it. @returns paths of its files */
  async function exported(query: string): Promise<string[]> {
    const asked = await operations.ask('POST', `/export/run?${query}`, undefined, 'the-key');
    expect(asked).toMatchObject({ status: 202 });
    const run = await vi.waitFor(
      async () => {
        const { body } = await operations.ask('GET', `/export/runs/${(asked.body as Run).id}`, undefined, 'the-key');
        if ((body as Run).state !== 'succeeded') throw new Error(`the run is ${JSON.stringify(body)}`);
        return body as Run;
      },
      { timeout: 180_000, interval: 50 },
    );
    expect(run.rows_done).toBe(edits.size);
    return run.files.map(({ key }) => join(folder, key));
  }

  /** Proves that each edit is there once, property by property. Nulls of named properties are not stored. */
  function expectAll(found: readonly Edit[]): void {
    expect(found).toHaveLength(edits.size);
    expect(new Set(found.map((edit) => edit.eventId)).size).toBe(edits.size);
    for (const edit of found) expect(edit).toEqual(edits.get(edit.eventId));
  }

  it.each([
    ['none', (bytes: Buffer) => bytes],
    ['gzip', gunzipSync],
    ['zstd', zstdDecompressSync],
  ])('as NDJSON, %s', async (compression, open) => {
    const paths = await exported(`format=ndjson&compression=${compression}`);
    const text = paths.map((path) => open(readFileSync(path)).toString()).join('');
    expectAll(
      text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as Edit),
    );
  });

  it('as JSON', async () => {
    const paths = await exported('format=json');
    expectAll(paths.flatMap((path) => (JSON.parse(readFileSync(path, 'utf8')) as { events: Edit[] }).events));
  });

  it('as CSV with gzip, read by DuckDB', async () => {
    const paths = await exported('format=csv&compression=gzip');
    const rows = await duck(
      `SELECT * FROM read_csv([${paths.map((path) => `'${path}'`).join(',')}], all_varchar = true, header = true, quote = '"', escape = '"') ORDER BY id::int`,
    );
    expectAll(rows.map((row) => JSON.parse(row['raw_event_data'] as string) as Edit));
    rows.forEach((row, at) => {
      const edit = edits.get(row['event_id'] as string)!;
      const name = edit['userName'];
      expect(row).toMatchObject({
        id: String(at + 1),
        event_type: edit['eventType'],
        session_id: harmless(edit['sessionId']),
        visitor_id: harmless(name),
        site_id: 'default',
      });
      expect(Date.parse(row['timestamp'] as string)).toBe(Date.parse(edit['timestamp']));
    });
  });

  it('as Parquet, read by hyparquet and by DuckDB', async () => {
    const paths = await exported('format=parquet');
    const objects: Record<string, unknown>[] = [];
    for (const path of paths) {
      objects.push(...(await parquetReadObjects({ file: await asyncBufferFromFile(path), compressors })));
    }
    expectAll(objects.map((row) => JSON.parse(row['raw_event_data'] as string) as Edit));
    const rows = await duck(
      `SELECT id, event_id, event_type, visitor_id, session_id, resource, epoch_ms("timestamp") AS at, raw_event_data
       FROM read_parquet([${paths.map((path) => `'${path}'`).join(',')}]) ORDER BY id`,
    );
    expectAll(rows.map((row) => JSON.parse(row['raw_event_data'] as string) as Edit));
    rows.forEach((row, at) => {
      const edit = edits.get(row['event_id'] as string)!;
      expect(row).toMatchObject({
        id: String(at + 1),
        event_type: edit['eventType'],
        visitor_id: edit['userName'],
        session_id: edit['sessionId'],
        resource: edit['workbookName'],
        at: String(Date.parse(edit['timestamp'])),
      });
    });
  });
});

/** A cell that a spreadsheet would run as a formula has a `'` in front. */
function harmless(text: string): string {
  return /^[=+\-@\t\r\uFF1D\uFF0B\uFF0D\uFF20]/.test(text) ? `'${text}` : text;
}

/** Rows of a query in DuckDB; whole numbers as text. */
async function duck(query: string): Promise<Record<string, unknown>[]> {
  const connection = await (await DuckDBInstance.create()).connect();
  try {
    return (await connection.runAndReadAll(query)).getRowObjectsJson();
  } finally {
    connection.closeSync();
  }
}

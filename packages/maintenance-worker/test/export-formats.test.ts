import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Manifest } from '@sluice/exports/manifest';
import { behindFence } from '@sluice/testkit/behind-fence';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import { type ExportRig, exportRig } from './fixtures/export-rig.ts';

const EVENTS = 1_000;
/** What a cell must survive: separators, quotes, line ends of all kinds, other scripts. */
const AWKWARD = 'a,"b"\r\nc\td\re\nf;Ünï 漢字 🦆';

let database: TestDatabase;
let rig: ExportRig;
beforeAll(async () => {
  database = await createTestDatabase();
  rig = await exportRig(database, {}, 100_000);
  await database.query(
    `INSERT INTO events (tenant, event_id, event_type, occurred_at, received_at, actor, session_id, resource, source, payload)
     SELECT 'default', gen_random_uuid(), 'page_view', '2026-01-31T09:30:00.123456Z'::timestamptz + n * interval '1 s', now(),
            CASE n WHEN 1 THEN '=1+1' WHEN 2 THEN '@cmd' WHEN 3 THEN '-2' WHEN 4 THEN '+3' WHEN 5 THEN E'\\tx' WHEN 6 THEN $1 END,
            's', '/' || n, 'web-collection', jsonb_build_object('url', 'https://example.com/' || n, 'n', n, 'big', 12345678901234567890)
     FROM generate_series(1, $2::int) n`,
    [AWKWARD, EVENTS],
  );
  await behindFence(database);
});
afterAll(async () => {
  await rig.close();
  await database.drop();
});

async function exported(format: string, compression = 'none'): Promise<Manifest> {
  const manifest = await rig.run(await rig.queue({ format, compression }));
  expect(manifest).toMatchObject({ rows: EVENTS });
  return manifest!;
}

const pathsOf = (manifest: Manifest): string[] => manifest.files.map(({ key }) => join(rig.folder, key));

/** Rows of a query in DuckDB; whole numbers as text. */
async function duck(query: string): Promise<Record<string, unknown>[]> {
  const connection = await (await DuckDBInstance.create()).connect();
  try {
    return (await connection.runAndReadAll(query)).getRowObjectsJson();
  } finally {
    connection.closeSync();
  }
}

it('files are cut by size, and their positions continue from one to the next', async () => {
  const { files } = await exported('ndjson');
  expect(files.length).toBeGreaterThan(1);
  let next = 1;
  for (const file of files) {
    expect(file.first_id).toBe(next);
    expect(file.last_id - file.first_id + 1).toBe(file.rows);
    next = file.last_id + 1;
  }
  expect(next).toBe(EVENTS + 1);
});

it.each(['none', 'gzip', 'zstd'])('NDJSON, %s: one event a line, with all digits', async (compression) => {
  const lines = (await rig.text(await exported('ndjson', compression))).trimEnd().split('\n');
  expect(lines).toHaveLength(EVENTS);
  expect(JSON.parse(lines[5]!)).toMatchObject({ visitorId: AWKWARD, path: '/6', url: 'https://example.com/6', n: 6 });
  expect(lines[5]).toContain('"big":12345678901234567890');
});

it('JSON: each file is one object, with its metadata first and its count last', async () => {
  const manifest = await exported('json');
  let rows = 0;
  for (const path of pathsOf(manifest)) {
    const parsed = JSON.parse(await readFile(path, 'utf8')) as {
      export_metadata: { tenant: string; run_id: string };
      events: object[];
      event_count: number;
    };
    expect(Object.keys(parsed)).toEqual(['export_metadata', 'events', 'event_count']);
    expect(parsed.export_metadata).toMatchObject({ tenant: 'default', run_id: manifest.run_id });
    expect(parsed.events).toHaveLength(parsed.event_count);
    rows += parsed.event_count;
  }
  expect(rows).toBe(EVENTS);
});

it('CSV: the header of the seeds, read by DuckDB, formulas made harmless', async () => {
  const manifest = await exported('csv');
  const [first] = pathsOf(manifest);
  expect((await readFile(first!, 'utf8')).split('\n')[0]).toBe(
    'id,event_id,event_type,session_id,visitor_id,site_id,timestamp,url,path,raw_event_data',
  );
  const files = pathsOf(manifest).map((path) => `'${path}'`);
  const rows = await duck(
    `SELECT * FROM read_csv([${files.join(',')}], header = true, all_varchar = true, quote = '"', escape = '"', strict_mode = true) ORDER BY id::int`,
  );
  expect(rows).toHaveLength(EVENTS);
  expect(rows.slice(0, 6).map((row) => row['visitor_id'])).toEqual(["'=1+1", "'@cmd", "'-2", "'+3", "'\tx", AWKWARD]);
  expect(rows[6]).toMatchObject({
    id: '7',
    event_type: 'page_view',
    session_id: 's',
    visitor_id: null,
    site_id: 'default',
    timestamp: '2026-01-31T09:30:07.123456Z',
    url: 'https://example.com/7',
    path: '/7',
  });
  expect(JSON.parse(rows[0]!['raw_event_data'] as string)).toMatchObject({ visitorId: '=1+1', path: '/1' });
});

it('CSV for a warehouse: cells are as they came', async () => {
  Object.assign(rig.context.settings, { csvEscapeFormulas: false });
  const manifest = await exported('csv');
  Object.assign(rig.context.settings, { csvEscapeFormulas: true });
  const files = pathsOf(manifest).map((path) => `'${path}'`);
  const rows = await duck(
    `SELECT visitor_id FROM read_csv([${files.join(',')}], header = true, all_varchar = true, quote = '"', escape = '"', strict_mode = true) ORDER BY id::int`,
  );
  expect(rows.slice(0, 6).map((row) => row['visitor_id'])).toEqual(['=1+1', '@cmd', '-2', '+3', '\tx', AWKWARD]);
});

it('Parquet: typed columns, read alike by hyparquet and DuckDB', async () => {
  const manifest = await exported('parquet');
  const paths = pathsOf(manifest);
  const seen: Record<string, unknown>[] = [];
  for (const path of paths) {
    seen.push(...(await parquetReadObjects({ file: await asyncBufferFromFile(path), compressors })));
  }
  const from = `read_parquet([${paths.map((path) => `'${path}'`).join(',')}])`;
  const described = await duck(`DESCRIBE SELECT * FROM ${from}`);
  expect(described.slice(0, 8).map((row) => [row['column_name'], row['column_type']])).toEqual([
    ['id', 'BIGINT'],
    ['event_id', 'VARCHAR'],
    ['event_type', 'VARCHAR'],
    ['session_id', 'VARCHAR'],
    ['visitor_id', 'VARCHAR'],
    ['site_id', 'VARCHAR'],
    ['timestamp', 'TIMESTAMP WITH TIME ZONE'],
    ['url', 'VARCHAR'],
  ]);
  const rows = await duck(
    `SELECT id, event_id, visitor_id, path, epoch_us("timestamp") AS at, raw_event_data FROM ${from} ORDER BY id`,
  );
  expect(rows).toHaveLength(EVENTS);
  expect(seen).toHaveLength(EVENTS);
  expect(rows[5]).toMatchObject({
    id: '6',
    visitor_id: AWKWARD,
    path: '/6',
    at: String(Date.UTC(2026, 0, 31, 9, 30, 6, 123) * 1000 + 456),
  });
  rows.forEach((row, at) => {
    const other = seen[at]!;
    expect([String(other['id']), other['event_id'], other['visitor_id'] ?? null, other['raw_event_data']]).toEqual([
      row['id'],
      row['event_id'],
      row['visitor_id'],
      row['raw_event_data'],
    ]);
  });
});

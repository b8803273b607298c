import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { Redis } from 'ioredis';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { MAX_ROW_READ_CHARS, READ_CHUNK_BYTES } from '@sluice/store/read-payload';
import { behindFence } from '@sluice/testkit/behind-fence';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import type { MaintenanceConfig } from '../src/config.ts';
import { archiveSegment } from '../src/exports/archive-segment.ts';
import { readInBatches } from '../src/exports/read-in-batches.ts';
import type { JobContext } from '../src/jobs/job.ts';
import { type ExportRig, exportRig, STORE_EVENTS } from './fixtures/export-rig.ts';

/** What two batches of 28 KB make, put where the door of an older version has let them: 13 MB each when read. */
const MONSTERS = 120;
const NUMBERS = 43_000;
const SMALL = 250;

/** Events of `$2` numbers that are read back as 309 characters each. */
const STORE_MONSTERS = `
  INSERT INTO events (tenant, event_id, event_type, occurred_at, received_at, source, payload)
  SELECT $1, gen_random_uuid(), 'BIGNUM', now(), now(), 'governance-tracker', monster.payload
  FROM (SELECT jsonb_build_object('n', jsonb_agg(1e308::numeric)) AS payload FROM generate_series(1, $2::int)) AS monster,
       generate_series(1, $3::int)`;

let database: TestDatabase;
let rig: ExportRig;
beforeAll(async () => {
  database = await createTestDatabase();
  rig = await exportRig(database);
  await database.query(STORE_EVENTS, ['default', SMALL]);
  await database.query(STORE_MONSTERS, ['default', NUMBERS, MONSTERS]);
  await database.query(STORE_EVENTS, ['default', SMALL]);
  await behindFence(database);
});
afterAll(async () => {
  await rig.close();
  await database.drop();
});

it.each(['ndjson', 'json', 'csv', 'parquet'])(
  '%s: events that are a thousand times as long when they are read become a mark, and the export ends',
  async (format) => {
    const delay = monitorEventLoopDelay();
    delay.enable();
    const manifest = (await rig.run(await rig.queue({ format })))!;
    delay.disable();
    expect(manifest).toMatchObject({ rows: MONSTERS + 2 * SMALL, truncated_rows: MONSTERS });
    // 120 times 13 MB would be 1.6 GB.
    expect(manifest.bytes).toBeLessThan(1024 * 1024);
    // BullMQ takes a job away whose lock was not renewed for 30 s.
    expect(delay.max / 1e9).toBeLessThan(10);
    if (format !== 'ndjson') return;
    const lines = (await rig.text(manifest)).trimEnd().split('\n');
    const marks = lines.map((line) => JSON.parse(line) as Record<string, unknown>).filter((line) => line['_truncated']);
    expect(marks).toHaveLength(MONSTERS);
    expect(marks[0]).toMatchObject({ eventType: 'BIGNUM', _bytes: expect.any(Number) as number });
    expect(marks[0]!['_bytes']).toBeGreaterThan(500_000);
  },
);

it('rows are read by bytes: also the first ones, and large ones after small ones', async () => {
  const lengths = [
    900_000,
    900_000,
    ...Array.from({ length: 150 }, () => 100),
    ...Array.from({ length: 20 }, () => 900_000),
  ];
  const query = sql<{ payload: string }>`
    SELECT repeat('x', length) AS payload FROM unnest(${lengths}::int[]) WITH ORDINALITY AS row (length, at) ORDER BY at`;
  const read: number[] = [];
  await readInBatches(rig.opened, query, async (batches) => {
    for (let rows = await batches.next(); rows.length > 0; rows = await batches.next()) {
      const chars = rows.reduce((sum, { payload }) => sum + payload.length, 0);
      if (rows.length > 1) expect(chars).toBeLessThanOrEqual(READ_CHUNK_BYTES);
      read.push(...rows.map(({ payload }) => payload.length));
    }
  });
  expect(read).toEqual(lengths);
});

it('an event that is just short enough is whole, and one character more is a mark', async () => {
  // `{"n": "…"}` has nine characters more than what is in it.
  for (const [tenant, length] of [
    ['short', MAX_ROW_READ_CHARS - 9],
    ['long', MAX_ROW_READ_CHARS - 8],
  ] as const) {
    await database.query(
      `INSERT INTO events (tenant, event_id, event_type, occurred_at, received_at, source, payload)
       VALUES ($1, gen_random_uuid(), 'Large', now(), now(), 'governance-tracker', jsonb_build_object('n', repeat('x', $2)))`,
      [tenant, length],
    );
  }
  await database.query(
    `INSERT INTO events (tenant, event_id, event_type, occurred_at, received_at, source, payload)
     VALUES ('own', gen_random_uuid(), 'Mark', now(), now(), 'governance-tracker', '{"_bytes": 5, "_truncated": true}')`,
  );
  await behindFence(database);
  // What a client sent itself is no mark.
  expect(await rig.run(await rig.queue({ tenant: 'own' }))).toMatchObject({ rows: 1, truncated_rows: 0 });
  expect(await rig.run(await rig.queue({ tenant: 'short' }))).toMatchObject({ rows: 1, truncated_rows: 0 });
  expect(await rig.run(await rig.queue({ tenant: 'long' }))).toMatchObject({ rows: 1, truncated_rows: 1 });
});

it('an archive has such events whole, with all their digits', async () => {
  const { database: opened, logger, settings } = rig.context;
  const redis = new Redis(inject('redisUrl'), { lazyConnect: true });
  const context: JobContext = { database: opened, logger, redis, config: { exports: settings } as MaintenanceConfig };
  await database.query('CREATE TABLE events_2020w02 (LIKE events INCLUDING DEFAULTS)');
  await database.query(`INSERT INTO events_2020w02 (SELECT * FROM events WHERE event_type = 'BIGNUM' LIMIT 4)
                        UNION ALL (SELECT * FROM events WHERE event_type = 'CellChange' LIMIT 50)`);
  const archived = await archiveSegment(
    context,
    { relation: 'events_2020w02', keepers: [] },
    new AbortController().signal,
  );
  redis.disconnect();
  expect(archived.rows).toBe(54);
  const file = await asyncBufferFromFile(join(rig.folder, archived.manifestKey, '../part-00001.parquet'));
  const rows = (await parquetReadObjects({ file, compressors, columns: ['payload'] })) as { payload: unknown }[];
  const longest = rows.map(({ payload }) => (typeof payload === 'string' ? payload : JSON.stringify(payload)).length);
  expect(longest.filter((length) => length > 13_000_000)).toHaveLength(4);
});

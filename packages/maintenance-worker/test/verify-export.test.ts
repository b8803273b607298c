import { createReadStream } from 'node:fs';
import { appendFile, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import type { Manifest } from '@sluice/exports/manifest';
import { behindFence } from '@sluice/testkit/behind-fence';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import type { MaintenanceConfig } from '../src/config.ts';
import { archiveSegment } from '../src/exports/archive-segment.ts';
import { countRows } from '../src/exports/count-rows.ts';
import type { JobContext, JobResult } from '../src/jobs/job.ts';
import { verifyExportJob } from '../src/jobs/verify-export.ts';
import { type ExportRig, exportRig, STORE_EVENTS } from './fixtures/export-rig.ts';

const EVENTS = 500;

let database: TestDatabase;
let rig: ExportRig;
let context: JobContext;
let redis: Redis;
beforeAll(async () => {
  database = await createTestDatabase();
  rig = await exportRig(database, {}, 20_000);
  redis = new Redis(inject('redisUrl'), { lazyConnect: true });
  const { database: opened, logger, settings } = rig.context;
  context = { database: opened, logger, redis, config: { exports: settings } as MaintenanceConfig };
  await database.query(STORE_EVENTS, ['default', EVENTS]);
  await behindFence(database);
});
afterAll(async () => {
  redis.disconnect();
  await rig.close();
  await database.drop();
});

async function exported(format: string, compression = 'none'): Promise<Manifest> {
  const manifest = await rig.run(await rig.queue({ format, compression }));
  return manifest!;
}

const verify = ({ run_id }: Manifest): Promise<JobResult> =>
  verifyExportJob.run(context, {
    id: run_id,
    input: { run_id },
    signal: new AbortController().signal,
    progress: () => {},
  });

const manifestOf = ({ files }: Manifest): string => join(rig.folder, files[0]!.key, '../manifest.json');

it.each([
  ['ndjson', 'none'],
  ['ndjson', 'gzip'],
  ['ndjson', 'zstd'],
  ['json', 'none'],
  ['json', 'gzip'],
  ['csv', 'none'],
  ['csv', 'zstd'],
  ['parquet', 'none'],
])('%s, %s: the files match their manifest', async (format, compression) => {
  const manifest = await exported(format, compression);
  expect(await verify(manifest)).toEqual({
    rows: EVENTS,
    details: { ok: true, files: manifest.files.length, problems: [] },
  });
});

it.each([
  [
    'a byte that changed',
    async (path: string) => {
      const bytes = await readFile(path);
      bytes[bytes.length >> 1]! ^= 1;
      await writeFile(path, bytes);
    },
    /has another SHA-256/,
  ],
  ['a file that was cut', (path: string) => truncate(path, 1_000), /has 1000 bytes/],
  ['a file that is gone', (path: string) => rm(path), /is not there/],
  ['lines that were added', (path: string) => appendFile(path, '{"eventId":"x"}\n'), /has \d+ rows; the manifest says/],
])('%s is found, and named by its key', async (_, damage, problem) => {
  const manifest = await exported('ndjson');
  const { key } = manifest.files[0]!;
  await damage(join(rig.folder, key));
  const { details } = await verify(manifest);
  expect(details).toMatchObject({ ok: false });
  const problems = (details!['problems'] as string[]).join('\n');
  expect(problems).toContain(key);
  expect(problems).toMatch(problem);
});

it.each(['json', 'csv', 'parquet'])(
  '%s: a damaged file that still has its length cannot be read, or sums up otherwise',
  async (format) => {
    const manifest = await exported(format);
    const path = join(rig.folder, manifest.files[0]!.key);
    const bytes = await readFile(path);
    await writeFile(path, Buffer.concat([bytes.subarray(0, -20), Buffer.alloc(20, '"')]));
    expect((await verify(manifest)).details).toMatchObject({ ok: false });
  },
);

it('a large file with a damaged start is read to its end, however fast its bytes come', async () => {
  const { key, ...file } = (await exported('ndjson')).files[0]!;
  const path = join(rig.folder, key);
  const bytes = Buffer.alloc(4 * 1024 * 1024, '}');
  await writeFile(path, bytes);
  const found = await countRows(
    createReadStream(path),
    { format: 'ndjson', compression: 'gzip' },
    new AbortController().signal,
  );
  expect(found).toMatchObject({ bytes: bytes.length, unreadable: expect.stringMatching(/incorrect header/) as string });
  expect(found.bytes).not.toBe(file.bytes);
});

it('another manifest than the one in Postgres is noticed', async () => {
  const [one, other] = [await exported('ndjson'), await exported('ndjson')];
  await rename(manifestOf(other), manifestOf(one));
  expect((await verify(one)).details!['problems']).toEqual([
    expect.stringContaining('is not the manifest of this run'),
  ]);
});

it('a segment is archived with all its columns, read again, and not archived twice', async () => {
  await database.query('CREATE TABLE events_2020w01 (LIKE events INCLUDING DEFAULTS)');
  await database.query(
    "INSERT INTO events_2020w01 SELECT * FROM events; UPDATE events_2020w01 SET flags = '{characters_replaced}', client_ip = '192.0.2.7'",
  );
  const signal = new AbortController().signal;
  const archive = () => archiveSegment(context, { relation: 'events_2020w01', keepers: [] }, signal);
  const archived = await archive();
  expect(archived).toMatchObject({ rows: EVENTS });
  expect(await archive()).toEqual(archived);
  const runs = await database.query("SELECT tenant, state, rows_done FROM export_runs WHERE trigger = 'archive'");
  expect(runs).toEqual([{ tenant: null, state: 'succeeded', rows_done: String(EVENTS) }]);

  // A damaged archive is not good enough to drop the segment, and is written again next time.
  const file = join(rig.folder, archived.manifestKey, '../part-00001.parquet');
  await truncate(file, 100);
  await expect(archive()).rejects.toThrow(/not as its manifest says/);
  const again = await archive();
  expect(again.rows).toBe(EVENTS);
  expect(again.manifestKey).not.toBe(archived.manifestKey);

  // A row more than what was archived.
  await database.query('INSERT INTO events_2020w01 SELECT * FROM events LIMIT 1');
  await expect(archive()).rejects.toThrow(/has 500 rows, the table 501/);
});

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, inject, it, vi } from 'vitest';
import type { Manifest } from '@sluice/exports/manifest';
import { openWakeQueue } from '@sluice/jobs/wake-queue';
import { behindFence } from '@sluice/testkit/behind-fence';
import { type S3Server, startS3Server } from '@sluice/testkit/s3-server';
import { startTcpProxy } from '@sluice/testkit/tcp-proxy';
import { startTestDaemon, type TestDaemon } from '@sluice/testkit/test-daemon';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import { testNamespace } from '@sluice/testkit/test-namespace';
import { STORE_EVENTS } from '../fixtures/export-rig.ts';

/** About 11 MB of NDJSON: three parts of a multipart upload. */
const EVENTS = 60_000;
const PATIENCE = { timeout: 180_000, interval: 20 };

let database: TestDatabase;
let s3: S3Server;
const namespace = testNamespace();
beforeAll(async () => {
  database = await createTestDatabase();
  s3 = await startS3Server();
  await database.query(STORE_EVENTS, ['default', EVENTS]);
  await behindFence(database);
});
afterAll(async () => {
  await s3.close();
  await database.drop();
});

const startWorker = (endpoint: string): Promise<TestDaemon> =>
  startTestDaemon('maintenance-worker', {
    REDIS_URL: inject('redisUrl'),
    DATABASE_URL: database.url,
    SLUICE_NAMESPACE: namespace,
    ENABLE_BACKGROUND_TASKS: 'false',
    CLIENT_S3_BUCKET: 'client',
    CLIENT_S3_PREFIX: 'exports',
    CLIENT_S3_ENDPOINT: endpoint,
    CLIENT_S3_PATH_STYLE: 'true',
    CLIENT_S3_ACCESS_KEY: 'S3RVER',
    CLIENT_S3_SECRET_KEY: 'S3RVER',
  });

async function queue(endpoint: string): Promise<string> {
  const id = randomUUID();
  await database.query(
    `INSERT INTO export_runs (id, tenant, trigger, state, format, compression, destination, requested_by)
     VALUES ($1, 'default', 'schedule', 'queued', 'ndjson', 'none', $2, 'test')`,
    [id, JSON.stringify(s3.settings('client', 'exports', endpoint))],
  );
  return id;
}

const runIn = (id: string, state: string): Promise<{ manifest: Manifest; attempts: number }> =>
  vi.waitFor(async () => {
    const [row] = await database.query('SELECT state, manifest, attempts, error FROM export_runs WHERE id = $1', [id]);
    if (row?.['state'] !== state) throw new Error(`the run is ${JSON.stringify(row)}`);
    return row as { manifest: Manifest; attempts: number };
  }, PATIENCE);

/** Waits until some rows are on their way. */
const underWay = (id: string): Promise<void> =>
  vi.waitFor(async () => {
    const [row] = await database.query('SELECT rows_done FROM export_runs WHERE id = $1', [id]);
    expect(Number(row?.['rows_done'])).toBeGreaterThan(0);
  }, PATIENCE);

const manifestsOf = async (id: string): Promise<string[]> =>
  (await s3.keys('client')).filter((key) => key.includes(id) && key.endsWith('manifest.json'));

it('kill -9 in the middle of an upload: there is no manifest, and the next worker exports the same window', async () => {
  const proxy = await startTcpProxy(s3.port);
  const endpoint = `http://127.0.0.1:${proxy.port}`;
  proxy.slowDown(150);
  const id = await queue(endpoint);
  const first = await startWorker(endpoint);
  await underWay(id);
  first.kill('SIGKILL');
  await first.exited;
  expect(await runIn(id, 'running')).toMatchObject({ manifest: null });
  expect(await manifestsOf(id)).toEqual([]);
  // Of the next window: the first start has fixed this one.
  await database.query(STORE_EVENTS, ['default', 5]);
  proxy.slowDown(0);
  const second = await startWorker(endpoint);
  const { manifest } = await runIn(id, 'succeeded');
  expect(manifest.rows).toBe(EVENTS);
  expect(await manifestsOf(id)).toHaveLength(1);
  const ids = new Set<string>();
  for (const file of manifest.files) {
    const lines = (await s3.read('client', `exports/${file.key}`)).toString().trimEnd().split('\n');
    for (const line of lines) ids.add((JSON.parse(line) as { eventId: string }).eventId);
  }
  expect(ids.size).toBe(EVENTS);

  const jobs = openWakeQueue('export', { redisUrl: inject('redisUrl'), namespace, onError: () => {} });
  await behindFence(database);
  const next = await queue(endpoint);
  await jobs.wake(next);
  expect((await runIn(next, 'succeeded')).manifest.rows).toBe(5);
  await jobs.close();
  await second.stop();
  await proxy.close();
});

it('Postgres ends all connections in the middle of an upload: the run continues when it is back', async () => {
  const proxy = await startTcpProxy(s3.port);
  const endpoint = `http://127.0.0.1:${proxy.port}`;
  await database.query('TRUNCATE export_positions');
  proxy.slowDown(150);
  const id = await queue(endpoint);
  const worker = await startWorker(endpoint);
  await underWay(id);
  await database.query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'sluice-maintenance'",
  );
  proxy.slowDown(0);
  const { manifest } = await runIn(id, 'succeeded');
  expect(manifest.rows).toBe(EVENTS + 5);
  expect(worker.output()).toContain('export interrupted; retrying');
  await worker.stop();
  await proxy.close();
});

import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { behindFence } from '@sluice/testkit/behind-fence';
import { S3_CREDENTIALS, type S3Server, startS3Server } from '@sluice/testkit/s3-server';
import type { TestDaemon } from '@sluice/testkit/test-daemon';
import { STORE_EVENTS } from './fixtures/export-rig.ts';
import { startTracedOperations, type TracedOperations } from './fixtures/traced-operations.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const REQUEST = `00-${TRACE}-b7ad6b7169203331-01`;

/** Six hundred batches of a hundred rows, about 11 MB. */
const EVENTS = 60_000;

/** One part of a multipart upload. */
const PART_BYTES = 5 * 1024 * 1024;

let traced: TracedOperations;
let worker: TestDaemon | undefined;
let s3: S3Server;
let receiver: Server;
const folder = mkdtempSync(join(tmpdir(), 'sluice-exports-'));
const answers: number[] = [];
beforeAll(async () => {
  receiver = createServer((request, response) => {
    request.resume();
    response.writeHead(answers.shift() ?? 200).end();
  });
  await new Promise<void>((listening) => receiver.listen(0, '127.0.0.1', listening));
  [s3, traced] = await Promise.all([startS3Server(), startTracedOperations({ EXPORT_DIR: folder })]);
  const { database } = traced.operations.pipeline;
  await database.query(STORE_EVENTS, ['default', EVENTS]);
  await database.query(
    `INSERT INTO export_configs (tenant, schedule, format, compression, destination, updated_by)
     VALUES ('default', '{"manual":true}', 'ndjson', 'none', '{"kind":"local","prefix":""}', 'test')`,
  );
  await behindFence(database);
});
afterEach(() => worker?.stop());
afterAll(async () => {
  await Promise.all([traced.stop(), s3.close()]);
  receiver.closeAllConnections();
  receiver.close();
  rmSync(folder, { recursive: true, force: true });
});

const start = async (env: Record<string, string> = {}): Promise<void> => {
  worker = await traced.startWorker({
    EXPORT_ALLOW_PRIVATE: 'true',
    EXPORT_WEBHOOK_URL: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/secret-path?token=secret-token`,
    EXPORT_WEBHOOK_SECRET: 'a secret of the receiver',
    ...env,
  });
};
const toS3 = (): Record<string, string> => ({
  CLIENT_S3_BUCKET: 'client',
  CLIENT_S3_ENDPOINT: s3.endpoint,
  CLIENT_S3_PATH_STYLE: 'true',
  CLIENT_S3_ACCESS_KEY: S3_CREDENTIALS.access_key_id,
  CLIENT_S3_SECRET_KEY: S3_CREDENTIALS.secret_access_key,
});
const sendTo = (destination: object): Promise<unknown> =>
  traced.operations.pipeline.database.query('UPDATE export_configs SET destination = $1', [
    JSON.stringify(destination),
  ]);

it('an export to a folder: its file, its manifest and its webhook, linked to the request', async () => {
  answers.push(500);
  await start();
  const { id } = await traced.request('/export/run', undefined, REQUEST);
  const run = await traced.span('export events', { 'sluice.run.id': id });
  expect(run).toMatchObject({
    parentSpanId: null,
    links: [{ traceId: TRACE }],
    status: 'unset',
    attributes: { 'sluice.rows': EVENTS, 'sluice.run.state': 'succeeded', 'sluice.export.format': 'ndjson' },
  });
  const spans = traced.traceOf(run);
  const file = spans.filter(({ name }) => name === 'write export file');
  expect(file).toMatchObject([
    {
      parentSpanId: run.spanId,
      attributes: { 'sluice.rows': EVENTS, 'sluice.bytes': run.attributes['sluice.bytes'] },
    },
  ]);
  expect(spans.filter(({ name }) => name === 'publish manifest')).toMatchObject([{ parentSpanId: run.spanId }]);
  // Reading went in six hundred batches.
  expect(spans.length).toBeLessThan(60);

  const { port } = receiver.address() as AddressInfo;
  const told = { kind: 'client', parentSpanId: null, links: [{ traceId: run.traceId, spanId: run.spanId }] };
  const refused = await traced.span('deliver webhook');
  expect(refused).toMatchObject({
    ...told,
    status: 'error',
    statusMessage: 'it answered 500',
    attributes: { 'server.address': '127.0.0.1', 'server.port': port, 'sluice.webhook.event': 'export.succeeded' },
  });
  await traced.receiver.until(
    () => traced.spans('deliver webhook').some(({ status }) => status === 'unset'),
    'a delivery that went well',
  );
  const delivered = traced.spans('deliver webhook').at(-1)!;
  expect(delivered).toMatchObject(told);
  expect(delivered.traceId).not.toBe(refused.traceId);
  expect(JSON.stringify(traced.receiver.spans)).not.toMatch(/secret-path|secret-token|a secret of/);
});

it('an export to S3: a span for each part, below its file', async () => {
  await start(toS3());
  await sendTo(s3.settings('client', 'sluice'));
  const { id } = await traced.request('/export/run', undefined, REQUEST);
  const run = await traced.span('export events', { 'sluice.run.id': id });
  expect(run).toMatchObject({ links: [{ traceId: TRACE }], status: 'unset' });
  const spans = traced.traceOf(run);
  const file = spans.find(({ name }) => name === 'write export file')!;
  const manifest = spans.find(({ name }) => name === 'publish manifest')!;
  const below = (parent: string): string[] =>
    spans.filter(({ parentSpanId }) => parentSpanId === parent).map(({ name }) => name);
  expect(below(file.spanId).toSorted()).toEqual([
    'S3.CompleteMultipartUpload',
    'S3.CreateMultipartUpload',
    ...Array.from({ length: Math.ceil(Number(run.attributes['sluice.bytes']) / PART_BYTES) }, () => 'S3.UploadPart'),
  ]);
  expect(below(manifest.spanId)).toEqual(['S3.PutObject']);
  expect(spans.length).toBeLessThan(60);
});

it('a failed export is kept at a ratio of 0, and one that succeeds is not', async () => {
  await start({ ...toS3(), OTEL_TRACES_SAMPLER_ARG: '0' });
  const unsampled = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00';
  const request = async (): Promise<unknown> => (await traced.request('/export/run', undefined, unsampled))['id'];
  await sendTo({ kind: 'local', prefix: '' });
  const well = await request();
  await vi.waitFor(
    async () => {
      const state = 'SELECT state FROM export_runs WHERE id = $1';
      expect(await traced.operations.pipeline.database.query(state, [well])).toEqual([{ state: 'succeeded' }]);
    },
    { timeout: 180_000, interval: 20 },
  );
  await sendTo({ ...s3.settings('client'), bucket: 'missing-bucket' });
  const badly = await request();
  const run = await traced.span('export events', { 'sluice.run.id': badly });
  expect(run.status).toBe('error');
  expect(traced.traceOf(run).length).toBeGreaterThan(1);
  expect(traced.spans('export events').map(({ attributes }) => attributes['sluice.run.id'])).not.toContain(well);
});

it('a scheduled export links to the run that queued it, in whose trace BullMQ leaves nothing', async () => {
  const { database } = traced.operations.pipeline;
  await sendTo({ kind: 'local', prefix: '' });
  await database.query(`UPDATE export_configs SET schedule = '{"every_events":1}'`);
  await start();
  const { id } = await traced.request('/api/jobs/queue-exports/runs', {});
  const queued = await traced.span('run queue-exports', { 'sluice.run.id': id });
  expect(queued.attributes['sluice.rows']).toBe(1);
  const run = await traced.span('export events', { 'sluice.run.trigger': 'schedule' });
  expect(run.links).toMatchObject([{ traceId: queued.traceId, spanId: queued.spanId }]);
  const automatic = traced.traceOf(queued).filter(({ spanId }) => spanId !== queued.spanId);
  expect(automatic.filter(({ name }) => !name.startsWith('pg.query:')).map(({ name }) => name)).toEqual([]);
});

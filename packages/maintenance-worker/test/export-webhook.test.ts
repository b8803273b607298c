import { createHmac, randomUUID } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { createLogger } from '@sluice/daemon/log/logger';
import { createMetrics } from '@sluice/daemon/telemetry/metrics';
import { openDatabase, type Database } from '@sluice/store/database';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import { testNamespace } from '@sluice/testkit/test-namespace';
import { createExportWebhook, type ExportWebhook } from '../src/exports/export-webhook.ts';
import { postWebhook } from '../src/exports/post-webhook.ts';
import { createMaintenanceMetrics } from '../src/maintenance-metrics.ts';

const SECRET = 'a secret of the receiver';
const PATIENCE = { timeout: 180_000, interval: 20 };

/** What the receiver got, and what it answers next; 200 by default. */
interface Notice {
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}
const notices: Notice[] = [];
const answers: { status: number; location?: string; endless?: boolean; silent?: boolean }[] = [];
let receiver: Server;
let url: string;
let database: TestDatabase;
let opened: Database;
const lines: Record<string, unknown>[] = [];
const logger = createLogger(
  { daemon: 'test', version: '0', level: 'info' },
  { write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
);
const namespace = testNamespace();
const webhooks: ExportWebhook[] = [];

beforeAll(async () => {
  receiver = createServer((request, response) => {
    void text(request).then((body) => {
      notices.push({ path: request.url ?? '', headers: request.headers, body });
      const { status, location, endless, silent } = answers.shift() ?? { status: 200 };
      if (silent) return;
      response.writeHead(status, location === undefined ? {} : { location });
      if (!endless) response.end('thank you');
      else response.write('x'.repeat(1024 * 1024));
    });
  });
  await new Promise<void>((listening) => receiver.listen(0, '127.0.0.1', listening));
  url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;
  database = await createTestDatabase();
  opened = openDatabase({ url: database.url, poolSize: 2, statementTimeoutMs: 30_000, applicationName: 'test' });
});
afterEach(async () => {
  await Promise.all(webhooks.splice(0).map((webhook) => webhook.close()));
  notices.length = 0;
  answers.length = 0;
  lines.length = 0;
});
afterAll(async () => {
  receiver.closeAllConnections();
  receiver.close();
  await opened.close();
  await database.drop();
  const redis = new Redis(inject('redisUrl'), { replyMapping: 'legacy' });
  const keys = await redis.keys(`{${namespace}:jobs}*`);
  if (keys.length > 0) await redis.del(keys);
  redis.disconnect();
});
const metrics = createMaintenanceMetrics(createMetrics('maintenance-worker'), []);
const target = (more: object = {}) => ({ url, secret: SECRET, allowPrivate: true, timeoutMs: 5_000, ...more });
const start = (more: object = {}): ExportWebhook => {
  const webhook = createExportWebhook({
    target: target(more),
    database: opened,
    redisUrl: inject('redisUrl'),
    namespace,
    logger,
    metrics,
    timings: { redeliverMs: 20 },
  });
  webhooks.push(webhook);
  return webhook;
};
async function seedRun(state: string, more: { error_code?: string; error?: string } = {}): Promise<string> {
  const id = randomUUID();
  await database.query(
    `INSERT INTO export_runs (id, tenant, trigger, state, format, compression, destination, requested_by, rows_done, bytes_done,
                              finished_at, error_code, error)
     VALUES ($1, 'acme', 'request', $2, 'csv', 'gzip', '{"kind":"local","prefix":""}', 'ada', 42, 4200, now(), $3, $4)`,
    [id, state, more.error_code ?? null, more.error ?? null],
  );
  return id;
}
const received = (count: number) => vi.waitFor(() => expect(notices).toHaveLength(count), PATIENCE);
const logged = (message: RegExp) =>
  vi.waitFor(() => expect(lines.map((line) => line['msg'])).toContainEqual(expect.stringMatching(message)), PATIENCE);

describe('a notice', () => {
  it('has the outcome of the run, signed', async () => {
    const id = await seedRun('succeeded');
    await start().notify({ id });
    await received(1);
    const [{ path, headers, body }] = notices as [Notice];
    expect(path).toBe('/hook');
    expect(headers).toMatchObject({ 'content-type': 'application/json', 'x-sluice-event': 'export.succeeded' });
    const notice = JSON.parse(body) as { id: string; event: string; run: object };
    expect(notice).toMatchObject({
      id: headers['x-sluice-delivery'],
      event: 'export.succeeded',
      run: { id, tenant: 'acme', state: 'succeeded', format: 'csv', rows: 42, bytes: 4200, error: null },
    });
    // As docs/guide/exports.md tells receivers to check it.
    const [, seconds, signature] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers['x-sluice-signature'])) ?? [];
    expect(signature).toBe(createHmac('sha256', SECRET).update(`${seconds}.${body}`).digest('hex'));
    expect(Math.abs(Date.now() / 1000 - Number(seconds))).toBeLessThan(300);
  });

  it('of a failure has its code and message', async () => {
    const id = await seedRun('failed', { error_code: 'no_bucket', error: 'There is no bucket.' });
    await start().notify({ id });
    await received(1);
    expect(JSON.parse(notices[0]!.body)).toMatchObject({
      event: 'export.failed',
      run: { id, error_code: 'no_bucket', error: 'There is no bucket.' },
    });
  });

  it('comes once per outcome, however often and by however many workers it is requested', async () => {
    const [one, other] = [start(), start()];
    const id = await seedRun('failed');
    await Promise.all([one.notify({ id }), one.notify({ id }), other.notify({ id })]);
    await received(1);
    await database.query("UPDATE export_runs SET state = 'succeeded', finished_at = now() WHERE id = $1", [id]);
    await Promise.all([one.notify({ id }), other.notify({ id })]);
    await received(2);
    expect(notices.map(({ headers }) => headers['x-sluice-event'])).toEqual(['export.failed', 'export.succeeded']);
  });

  it('is not sent for a run that has not ended, or was cancelled', async () => {
    const webhook = start();
    for (const state of ['queued', 'running', 'cancelled']) await webhook.notify({ id: await seedRun(state) });
    await webhook.notify({ id: randomUUID() });
    const ended = await seedRun('succeeded');
    await webhook.notify({ id: ended });
    await received(1);
    expect(notices[0]!.body).toContain(ended);
  });

  it('is sent again after a 500, with the same id and a signature of its own', async () => {
    answers.push({ status: 500 }, { status: 503 });
    await start().notify({ id: await seedRun('succeeded') });
    await received(3);
    expect(new Set(notices.map(({ headers }) => headers['x-sluice-delivery'])).size).toBe(1);
    expect(new Set(notices.map(({ body }) => body)).size).toBe(1);
    await logged(/webhook delivered/);
  });

  it('waits in Redis for the next worker', async () => {
    answers.push({ status: 500 });
    const first = createExportWebhook({
      target: target(),
      database: opened,
      redisUrl: inject('redisUrl'),
      namespace,
      logger,
      metrics,
      timings: { redeliverMs: 500 },
    });
    await first.notify({ id: await seedRun('succeeded') });
    await received(1);
    await first.close();
    start();
    await received(2);
    expect(notices[1]!.body).toBe(notices[0]!.body);
  });

  it('is given up after eight tries, and only the log shows it', async () => {
    answers.push(...Array.from({ length: 8 }, () => ({ status: 404 })));
    const webhook = createExportWebhook({
      target: target(),
      database: opened,
      redisUrl: inject('redisUrl'),
      namespace,
      logger,
      metrics,
      timings: { redeliverMs: 1 },
    });
    webhooks.push(webhook);
    await webhook.notify({ id: await seedRun('succeeded') });
    await logged(/given up/);
    expect(notices).toHaveLength(8);
  });
});

describe('where it may go', () => {
  const notice = { id: 'x', event: 'export.succeeded', body: '{}' };

  it('not to a private address, unless that is allowed', async () => {
    await expect(postWebhook(target({ allowPrivate: false }), notice)).rejects.toThrow(/public internet/);
    await expect(
      postWebhook(target({ allowPrivate: false, url: url.replace('127.0.0.1', 'localhost') }), notice),
    ).rejects.toThrow(/localhost is not an address of the public internet/);
    expect(notices).toEqual([]);
    await postWebhook(target(), notice);
    expect(notices).toHaveLength(1);
  });

  it('a refused address is logged, and the export succeeds', async () => {
    const webhook = start({ allowPrivate: false });
    await webhook.notify({ id: await seedRun('succeeded') });
    await logged(/not delivered/);
    expect(JSON.stringify(lines)).toContain('public internet');
    expect(notices).toEqual([]);
  });

  it('not where a redirect leads', async () => {
    for (const status of [301, 302, 307, 308]) {
      answers.push({ status, location: `${url}/elsewhere` });
      await expect(postWebhook(target(), notice)).rejects.toThrow(`it answered ${status}; redirects are not followed`);
    }
    expect(notices.map(({ path }) => path)).toEqual(['/hook', '/hook', '/hook', '/hook']);
  });

  it('an endless answer is cut, and counts by its status', async () => {
    answers.push({ status: 200, endless: true }, { status: 500, endless: true });
    await postWebhook(target(), notice);
    await expect(postWebhook(target(), notice)).rejects.toThrow('it answered 500');
  });

  it('a receiver that does not answer is given up', async () => {
    answers.push({ status: 200, silent: true });
    await expect(postWebhook(target({ timeoutMs: 200 }), notice)).rejects.toThrow(/aborted|timeout/i);
  });
});

it('an unavailable Redis does not delay an export', async () => {
  const webhook = createExportWebhook({
    target: target(),
    database: opened,
    redisUrl: 'redis://127.0.0.1:1',
    namespace,
    logger,
    metrics,
  });
  await webhook.notify({ id: await seedRun('succeeded') });
  expect(JSON.stringify(lines)).toContain('Redis did not take it within 1000 ms');
});

import { mkdtempSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { post } from '@sluice/testkit/http';
import { makeEvents } from '@sluice/testkit/make-event';
import { type Operations, startOperations } from '@sluice/testkit/operations';

const PATIENCE = { timeout: 180_000, interval: 50 };
const notices: { event: string; run: { id: string; rows: number; trigger: string } }[] = [];
let operations: Operations;
let receiver: Server;
beforeAll(async () => {
  receiver = createServer((request, response) => {
    void text(request).then((body) => {
      notices.push(JSON.parse(body) as (typeof notices)[number]);
      response.end();
    });
  });
  await new Promise<void>((listening) => receiver.listen(0, '127.0.0.1', listening));
  const env = { EXPORT_DIR: mkdtempSync(join(tmpdir(), 'sluice-exports-')) };
  operations = await startOperations({ API_KEY: 'the-key', ...env });
  const worker = {
    ...env,
    ENABLE_BACKGROUND_TASKS: 'true',
    EXPORT_ALLOW_PRIVATE: 'true',
    EXPORT_WEBHOOK_URL: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`,
    EXPORT_WEBHOOK_SECRET: 'a secret of the receiver',
  };
  await Promise.all([
    operations.startMaintenance(worker),
    operations.startMaintenance(worker),
    operations.pipeline.startWriter('writer-1'),
  ]);
});
afterAll(async () => {
  await operations.stop();
  receiver.closeAllConnections();
  receiver.close();
});

const ask = async (method: string, path: string, body?: unknown) =>
  (await operations.ask(method, path, body, 'the-key')).body;
/** Beside the ticks of the schedule, as fast as anybody can ask. */
const decide = () => Promise.all(Array.from({ length: 6 }, () => ask('POST', '/api/jobs/queue-exports/runs')));
/** Asks again until that many have succeeded: transactions of other test files hold the fence back. */
const succeeded = (count: number) =>
  vi.waitFor(
    async () => {
      await decide();
      const { runs } = await ask('GET', '/export/runs');
      expect(runs.filter((run: { state: string }) => run.state === 'succeeded')).toHaveLength(count);
      return runs as { id: string; rows_done: number; trigger: string; requested_by: string }[];
    },
    { timeout: 180_000, interval: 500 },
  );

it('two workers export new events once, and notify once', async () => {
  const { pipeline } = operations;
  const send = async (count: number, stored: number): Promise<void> => {
    expect((await post(`${pipeline.ingest.url}/api/events`, { events: makeEvents(count) })).status).toBe(202);
    await pipeline.stored(stored);
  };
  await send(30, 30);
  await ask('PUT', '/export/config', { schedule: { every_events: 10 } });
  await succeeded(1);
  await send(12, 42);
  const runs = await succeeded(2);
  await decide();
  await vi.waitFor(async () => {
    const { runs: left } = await ask('GET', '/api/jobs/queue-exports/runs');
    expect(left.filter((run: { state: string }) => run.state !== 'succeeded')).toEqual([]);
  }, PATIENCE);

  expect(runs.map((run) => run.rows_done)).toEqual([12, 30]);
  expect(runs.map((run) => [run.trigger, run.requested_by])).toEqual([
    ['schedule', 'schedule'],
    ['schedule', 'schedule'],
  ]);
  await succeeded(2);
  await vi.waitFor(() => expect(notices).toHaveLength(2), PATIENCE);
  expect(notices.map(({ event, run }) => [event, run.rows])).toEqual([
    ['export.succeeded', 30],
    ['export.succeeded', 12],
  ]);
  const { tenants } = await ask('GET', '/export/status?tenant=default');
  expect(tenants[0]).toMatchObject({
    totals: { runs: { succeeded: 2 }, rows: 42 },
    next_run_at: null,
    last_error: null,
  });
  expect(tenants[0].lag_seconds).toBeLessThan(60);
});

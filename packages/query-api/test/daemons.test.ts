import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { get, post } from '@sluice/testkit/http';
import { makeEvent } from '@sluice/testkit/make-event';
import { type Operations, startOperations } from '@sluice/testkit/operations';
import type { TestDaemon } from '@sluice/testkit/test-daemon';

const PATIENCE = { timeout: 180_000, interval: 50 };

let operations: Operations;
let writer: TestDaemon;
beforeAll(async () => {
  operations = await startOperations();
  writer = await operations.pipeline.startWriter('writer-1');
});
afterAll(() => operations.stop());

interface Daemon {
  daemon: string;
  instance: string;
  status: string;
  ready: boolean;
  checks: Record<string, { status: string; message?: string; since: string }>;
  stalled?: { code: string };
}
const daemons = async (): Promise<Daemon[]> => (await operations.ask('GET', '/api/daemons')).body.daemons;
const named = async (daemon: string): Promise<Daemon[]> => (await daemons()).filter((each) => each.daemon === daemon);

it('every daemon reports itself: what runs where, since when, and how its checks are', async () => {
  await vi.waitFor(async () => expect((await named('writer-worker'))[0]?.status).toBe('healthy'), PATIENCE);
  expect((await daemons()).map(({ daemon }) => daemon)).toEqual(
    expect.arrayContaining(['ingest-api', 'query-api', 'writer-worker']),
  );
  const [state] = await named('writer-worker');
  expect(state).toMatchObject({
    instance: 'writer-worker:writer-1',
    host: expect.any(String) as string,
    pid: expect.any(Number) as number,
    version: expect.stringMatching(/^\d+\.\d+\.\d+/) as string,
    ready: true,
    checks: { redis: { status: 'ok' }, postgres: { status: 'ok' }, consumer: { status: 'ok' } },
  });
  const { body } = await operations.ask('GET', '/api/queue');
  expect(body.consumers).toEqual([{ name: 'writer-1', status: 'healthy', pending: 0, failed: [] }]);
});

it('a stall is in the state of the writer and beside it in the queue, with its reason, until it is over', async () => {
  const { database, ingest } = operations.pipeline;
  await database.query('ALTER TABLE events RENAME TO events_away');
  try {
    await post(`${ingest.url}/api/events`, { events: [makeEvent()] });
    await vi.waitFor(async () => {
      const [state] = await named('writer-worker');
      expect(state).toMatchObject({
        status: 'unhealthy',
        ready: false,
        checks: { consumer: { status: 'failed', message: expect.stringMatching(/events/) as string } },
        stalled: { code: '42P01', message: expect.stringMatching(/events/) as string, entries: 1 },
      });
    }, PATIENCE);
    const { body } = await operations.ask('GET', '/api/queue');
    expect(body.consumers).toMatchObject([
      {
        name: 'writer-1',
        status: 'unhealthy',
        pending: 1,
        failed: expect.arrayContaining([expect.objectContaining({ check: 'consumer' })]) as object[],
        stalled: { code: '42P01' },
      },
    ]);
  } finally {
    await database.query('ALTER TABLE events_away RENAME TO events');
  }
  await vi.waitFor(async () => {
    const [state] = await named('writer-worker');
    expect(state?.status).toBe('healthy');
    expect(state).not.toHaveProperty('stalled');
  }, PATIENCE);
});

it('a daemon that stops in order is gone at once, one that was killed when its report is too old', async () => {
  const { redis, namespace } = operations.pipeline;
  await writer.stop();
  expect(await named('writer-worker')).toEqual([]);

  const killed = await operations.pipeline.startWriter('writer-2');
  await vi.waitFor(async () => expect(await named('writer-worker')).toHaveLength(1), PATIENCE);
  const key = `${namespace}:{daemons}:writer-worker:writer-2`;
  expect(await redis.pttl(key)).toBeGreaterThan(5_000);
  expect(await redis.pttl(key)).toBeLessThanOrEqual(15_000);
  process.kill(killed.pid, 'SIGKILL');
  await vi.waitFor(async () => await expect(get(`${killed.url}/live`)).rejects.toThrow('fetch failed'), PATIENCE);
  // Fifteen seconds later.
  await redis.pexpire(key, 1);
  await vi.waitFor(async () => expect(await named('writer-worker')).toEqual([]), PATIENCE);
});

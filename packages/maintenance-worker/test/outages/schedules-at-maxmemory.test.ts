import { Queue, Worker } from 'bullmq';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { bullmqConnection, bullmqPrefix } from '@sluice/jobs/bullmq-connection';
import { type OwnServer, ownRedis } from '@sluice/testkit/own-servers';
import { startTestDaemon } from '@sluice/testkit/test-daemon';
import { restAfterErrors } from '../../src/running/rest-after-errors.ts';
import { SCHEDULES_QUEUE } from '../../src/running/run-schedules.ts';
import { type JobRig, makeJob, PATIENCE, startJobRig } from '../fixtures/job-worker.ts';

let server: OwnServer;
let rig: JobRig;
let queue: Queue;
beforeAll(async () => {
  server = await ownRedis();
  rig = await startJobRig(server.url);
  queue = new Queue(SCHEDULES_QUEUE, { connection: bullmqConnection(server.url), prefix: bullmqPrefix(rig.namespace) });
});
afterAll(async () => {
  await queue.close();
  await rig.stop();
  await server.remove();
});

afterEach(async () => {
  await setMemory('0');
  await rig.clear();
});

const setMemory = (bytes: string) => rig.redis.config('SET', 'maxmemory', bytes);
const ticksAhead = async (): Promise<number> => (await queue.getDelayedCount()) + (await queue.getWaitingCount());

it('a schedule that one refused write has ended ticks again after the next writing of the schedules, and not before', async () => {
  let ticks = 0;
  const job = makeJob({
    name: 'often',
    schedule: { everyMs: 300 },
    run: async () => {
      ticks += 1;
      return { rows: 1 };
    },
  });
  // The test itself decides when schedules are written again.
  const worker = await rig.startWorker([job], { refreshMs: 3_600_000 });
  await vi.waitFor(() => expect(ticks).toBeGreaterThan(1), PATIENCE);

  await setMemory('1');
  const lost = /Failed to add repeatable job for next iteration: OOM/;
  await vi.waitFor(() => expect(rig.log.some((line) => lost.test(String(line['error'])))).toBe(true), PATIENCE);
  await setMemory('0');
  expect(await ticksAhead(), 'the chain is broken').toBe(0);
  const before = ticks;
  // Time for several ticks, if there were any: another schedule on the same queue makes them pass.
  await queue.upsertJobScheduler('clock', { every: 300 }, { name: 'clock' });
  await vi.waitFor(
    () =>
      expect(
        rig.log.some((line) => line['job'] === 'clock'),
        'the worker takes ticks again',
      ).toBe(true),
    PATIENCE,
  );
  expect(ticks).toBe(before);

  await worker.schedules!.refresh();
  await vi.waitFor(() => expect(ticks).toBeGreaterThan(before + 2), PATIENCE);
});

it('while Redis refuses, a worker pauses between its tries, and logs each new error once', async () => {
  const errors: { message: string; at: number }[] = [];
  const worker = new Worker(SCHEDULES_QUEUE, async () => {}, {
    connection: bullmqConnection(server.url),
    prefix: bullmqPrefix(rig.namespace),
  });
  worker.on('error', ({ message }) => errors.push({ message, at: performance.now() }));
  restAfterErrors(worker, rig.context.logger);
  await queue.upsertJobScheduler('often', { every: 100 }, { name: 'often' });
  await setMemory('1');
  // By itself it would meet these within a few milliseconds.
  await vi.waitFor(() => expect(errors.length).toBeGreaterThan(4), PATIENCE);
  await setMemory('0');
  expect(errors[4]!.at - errors[0]!.at).toBeGreaterThan(400);
  const changes = errors.filter(({ message }, at) => message !== errors[at - 1]?.message).length;
  expect(rig.log.filter((line) => line['queue'] === SCHEDULES_QUEUE).length).toBeLessThanOrEqual(changes);
  await worker.close();
});

it('while Redis refuses, every worker of the daemon pauses', async () => {
  const daemon = await startTestDaemon('maintenance-worker', {
    REDIS_URL: server.url,
    DATABASE_URL: rig.database.url,
    SLUICE_NAMESPACE: 'resting',
    EXPORT_WEBHOOK_URL: 'https://hooks.example.com/',
    EXPORT_WEBHOOK_SECRET: 'a secret that is long enough for a signature',
  });
  try {
    await setMemory('1');
    const queues = ['maintenance', 'run-requests', 'replays', 'exports', 'export-webhooks'];
    await vi.waitFor(
      () => expect(new Set(daemon.log().map((line) => line['queue']))).toEqual(new Set([...queues, undefined])),
      PATIENCE,
    );
    const refused = async (): Promise<number> =>
      Number(/errorstat_OOM:count=(\d+)/.exec(await rig.redis.info('errorstats'))?.[1]);
    const before = await refused();
    // Two turns of the shortest rests; one worker without any would be refused thousands of times meanwhile.
    const pace = new Worker('pace', async () => {}, {
      connection: bullmqConnection(server.url),
      prefix: bullmqPrefix('pace'),
    });
    const errors: Error[] = [];
    pace.on('error', (error) => errors.push(error));
    restAfterErrors(pace, rig.context.logger);
    await vi.waitFor(() => expect(errors.length).toBeGreaterThan(4), PATIENCE);
    expect((await refused()) - before).toBeLessThan(300);
    await setMemory('0');
    await pace.close();
  } finally {
    await setMemory('0');
    await daemon.stop();
  }
});

import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import type { JobRun } from '../src/jobs/job.ts';
import { slotLock } from '../src/running/job-slot.ts';
import { type JobRig, makeJob, PATIENCE, startJobRig } from './fixtures/job-worker.ts';

let rig: JobRig;
beforeAll(async () => {
  rig = await startJobRig();
});
afterAll(() => rig.stop());
afterEach(() => rig.clear());

/** On request only, and found within a moment. */
const OPTIONS = { schedules: false, sweepMs: 50 };

const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));

it('a requested run is found in Postgres without a wake-up, gets its input and writes its result', async () => {
  const id = await rig.request('count', { until: 7 });
  await rig.startWorker(
    [
      makeJob({
        name: 'count',
        run: async (_context, { input }) => ({ rows: input['until'] as number, details: { counted: true } }),
      }),
    ],
    { ...OPTIONS, name: 'host:1' },
  );
  const run = await rig.runIn(id, 'succeeded');
  expect(run).toMatchObject({
    rows: '7',
    details: { counted: true },
    error: null,
    worker: 'host:1',
    trigger: 'request',
  });
  expect((run['finished_at'] as Date).getTime()).toBeGreaterThanOrEqual((run['started_at'] as Date).getTime());
});

it('an error of a handler fails its run, and is logged', async () => {
  const failing = makeJob({
    name: 'failing',
    run: async (_context, run) => {
      run.progress(3, 10);
      throw new Error('the disk is full');
    },
  });
  await rig.startWorker([failing], OPTIONS);
  const run = await rig.runIn(await rig.request('failing'), 'failed');
  expect(run).toMatchObject({ error: 'the disk is full', rows: '3', rows_expected: '10' });
});

it('progress is shown while it runs', async () => {
  const { promise: end, resolve } = rig.hold();
  const job = makeJob({
    name: 'slow',
    run: async (_context, run) => {
      run.progress(41, 100);
      await end;
      return { rows: 100 };
    },
  });
  await rig.startWorker([job], OPTIONS);
  const id = await rig.request('slow');
  await vi.waitFor(
    async () => expect(await rig.run(id)).toMatchObject({ state: 'running', rows: '41', rows_expected: '100' }),
    PATIENCE,
  );
  resolve();
  await rig.runIn(id, 'succeeded');
});

it('a run that takes too long is aborted and has failed', async () => {
  const job = makeJob({
    name: 'long',
    timeoutMs: 50,
    run: async (_context, { signal }) => {
      await untilAborted(signal);
      return { rows: 5 };
    },
  });
  await rig.startWorker([job], OPTIONS);
  const run = await rig.runIn(await rig.request('long'), 'failed');
  expect(run).toMatchObject({ error: 'it took longer than 0.05 s', rows: '5' });
});

it('handlers that ignore their time-out are given up: other jobs run, but no second run of theirs', async () => {
  const { promise: end, resolve } = rig.hold();
  const begun: string[] = [];
  // More than the requested runs that a worker runs at once.
  const deaf = ['a', 'b', 'c', 'd', 'e'].map((name) =>
    makeJob({
      name,
      timeoutMs: 50,
      run: async () => {
        begun.push(name);
        await end;
        return { rows: 1 };
      },
    }),
  );
  await rig.startWorker([...deaf, makeJob({ name: 'other' })], { ...OPTIONS, graceMs: 50 });
  const first = await Promise.all(deaf.map((job) => rig.request(job.name)));
  for (const id of first) {
    expect(await rig.runIn(id, 'failed')).toMatchObject({
      error: 'it took longer than 0.05 s, and it did not end when its signal was aborted',
    });
  }
  const second = await rig.request('a');
  await rig.runIn(await rig.request('other'), 'succeeded');
  await rig.runIn(await rig.request('other'), 'succeeded');
  expect(await rig.run(second)).toMatchObject({ state: 'queued' });
  expect(begun.toSorted()).toEqual(['a', 'b', 'c', 'd', 'e']);
  resolve();
  await rig.runIn(second, 'succeeded');
});

it('never more run at once than the job allows, over all workers; the others wait', async () => {
  let atOnce = 0;
  let most = 0;
  const overlap = rig.hold();
  const job = makeJob({
    name: 'two',
    concurrency: 2,
    run: async () => {
      atOnce += 1;
      most = Math.max(most, atOnce);
      if (atOnce === 2) overlap.resolve();
      // The first waits for a second; after it a round trip, in which a third would begin if it could.
      await overlap.promise;
      await rig.database.query('SELECT pg_sleep(0.02)');
      atOnce -= 1;
      return { rows: 1 };
    },
  });
  const ids = await Promise.all(Array.from({ length: 12 }, () => rig.request('two')));
  await Promise.all(['a', 'b', 'c'].map((name) => rig.startWorker([job], { ...OPTIONS, name })));
  for (const id of ids) await rig.runIn(id, 'succeeded');
  expect(most).toBe(2);
});

it('a long run does not hold up other jobs', async () => {
  const { promise: end, resolve } = rig.hold();
  const long = makeJob({
    name: 'long',
    schedule: { everyMs: 3_600_000 },
    run: async () => {
      await end;
      return { rows: 0 };
    },
  });
  let ticks = 0;
  const often = makeJob({
    name: 'often',
    schedule: { everyMs: 50 },
    run: async () => {
      ticks += 1;
      return { rows: 0 };
    },
  });
  await rig.startWorker([long, often], { sweepMs: 50 });
  await vi.waitFor(() => expect(ticks).toBeGreaterThan(3), PATIENCE);
  await rig.runIn(await rig.request('often'), 'succeeded');
  expect(await rig.database.query("SELECT state FROM job_runs WHERE job = 'long'")).toEqual([{ state: 'running' }]);
  resolve();
});

it('a requested run that found its place taken by a scheduled one follows at once', async () => {
  const { promise: end, resolve } = rig.hold();
  const job = makeJob({
    name: 'both',
    schedule: { everyMs: 3_600_000 },
    run: async () => {
      await end;
      return { rows: 1 };
    },
  });
  // No sweep comes to its help.
  const worker = await rig.startWorker([job], { sweepMs: 3_600_000 });
  await vi.waitFor(
    async () => expect(await rig.database.query("SELECT FROM job_runs WHERE state = 'running'")).toHaveLength(1),
    PATIENCE,
  );
  const id = await rig.request('both');
  await worker.requests.sweep();
  expect(await rig.run(id)).toMatchObject({ state: 'queued' });
  resolve();
  await rig.runIn(id, 'succeeded');
});

it('cancelled while it runs: aborted within about a second, and stays cancelled', async () => {
  const job = makeJob({
    name: 'endless',
    run: async (_context: unknown, { signal }: JobRun) => {
      await untilAborted(signal);
      return { rows: 9 };
    },
  });
  await rig.startWorker([job], OPTIONS);
  const id = await rig.request('endless');
  await rig.runIn(id, 'running');
  await rig.database.query("UPDATE job_runs SET state = 'cancelled', error = 'cancelled by ada' WHERE id = $1", [id]);
  await vi.waitFor(
    async () => expect(await rig.run(id)).toMatchObject({ state: 'cancelled', rows: '9', error: 'cancelled by ada' }),
    PATIENCE,
  );
});

it('an ordered stop cancels what runs, and does not begin what waits', async () => {
  const job = makeJob({
    name: 'endless',
    run: async (_context: unknown, { signal }: JobRun) => {
      await untilAborted(signal);
      throw signal.reason;
    },
  });
  const worker = await rig.startWorker([job], OPTIONS);
  const running = await rig.request('endless');
  await rig.runIn(running, 'running');
  const waiting = await rig.request('endless');
  await worker.stop();
  expect(await rig.run(running)).toMatchObject({ state: 'cancelled', error: 'the worker was stopped' });
  expect(await rig.run(waiting)).toMatchObject({ state: 'queued' });
});

it('a run whose worker is gone has failed; one whose worker holds its lock has not', async () => {
  const insert = async (job: string): Promise<string> => {
    const [row] = await rig.database.query<{ id: string }>(
      `INSERT INTO job_runs (id, job, state, trigger, worker, slot, started_at)
       VALUES (gen_random_uuid(), $1, 'running', 'request', 'elsewhere:1', 0, now()) RETURNING id`,
      [job],
    );
    return row!.id;
  };
  const [dead, alive] = [await insert('dead'), await insert('alive')];
  const holder = await rig.database.connect();
  await holder.query('SELECT pg_advisory_lock(hashtextextended($1, 0))', [slotLock('alive', 0)]);
  const worker = await rig.startWorker([makeJob({ name: 'dead' }), makeJob({ name: 'alive' })], OPTIONS);
  await worker.requests.sweep();
  expect(await rig.run(dead)).toMatchObject({
    state: 'failed',
    error: expect.stringContaining('worker died') as string,
  });
  expect(await rig.run(alive)).toMatchObject({ state: 'running' });
  await holder.end();
  await rig.runIn(alive, 'failed');
});

it('a run that loses its connection to Postgres is aborted: its lock is lost with it', async () => {
  let told: unknown = null;
  const job = makeJob({
    name: 'locked',
    run: async (_context: unknown, { signal }: JobRun) => {
      await untilAborted(signal);
      told = signal.reason;
      return { rows: 0 };
    },
  });
  await rig.startWorker([job], { schedules: false, sweepMs: 3_600_000 });
  const id = await rig.request('locked');
  await (await rig.startWorker([job], { ...OPTIONS, name: 'second' })).requests.sweep();
  await rig.runIn(id, 'running');
  await rig.database.query(`
    SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`);
  const run = await rig.runIn(id, 'failed');
  expect(run['error']).toMatch(/connection to PostgreSQL/);
  await vi.waitFor(() => expect(String(told)).toMatch(/lost/), PATIENCE);
});

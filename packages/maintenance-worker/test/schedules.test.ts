import { Queue } from 'bullmq';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { bullmqConnection, bullmqPrefix } from '@sluice/jobs/bullmq-connection';
import { noteNextTicks, registerJobs } from '../src/running/register-jobs.ts';
import { noteSkipped } from '../src/running/run-rows.ts';
import { SCHEDULES_QUEUE } from '../src/running/run-schedules.ts';
import { removeOtherSchedules, writeSchedules } from '../src/running/write-schedules.ts';
import { type JobRig, makeJob, PATIENCE, startJobRig } from './fixtures/job-worker.ts';

let rig: JobRig;
let queue: Queue;
beforeAll(async () => {
  rig = await startJobRig();
  queue = new Queue(SCHEDULES_QUEUE, {
    connection: bullmqConnection(inject('redisUrl')),
    prefix: bullmqPrefix(rig.namespace),
  });
});
afterAll(async () => {
  await queue.close();
  await rig.stop();
});
afterEach(() => rig.clear());

const schedulers = async (): Promise<string[]> => (await queue.getJobSchedulers()).map(({ key }) => key).toSorted();

describe('ticks', () => {
  it('each runs once, whatever the number of workers', async () => {
    const ticks: number[] = [];
    const job = makeJob({
      name: 'often',
      schedule: { everyMs: 100 },
      run: async () => {
        ticks.push(Date.now());
        return { rows: 1 };
      },
    });
    const workers = await Promise.all(['a', 'b', 'c'].map((name) => rig.startWorker([job], { name, refreshMs: 50 })));
    await vi.waitFor(() => expect(ticks.length).toBeGreaterThan(8), PATIENCE);
    await Promise.all(workers.map((worker) => worker.stop()));
    // Three workers that each ran every tick would have run three times as often.
    const span = ticks.at(-1)! - ticks[0]!;
    expect(ticks.length - 1).toBeLessThanOrEqual(Math.ceil(span / 100) + 1);
    const runs = await rig.database.query("SELECT trigger, state FROM job_runs WHERE job = 'often'");
    expect(runs).toHaveLength(ticks.length);
    expect(runs[0]).toEqual({ trigger: 'schedule', state: 'succeeded' });
  });

  it('one that comes due while the job runs is skipped, and that is noted', async () => {
    const { promise: end, resolve } = rig.hold();
    let begun = 0;
    const job = makeJob({
      name: 'long',
      schedule: { everyMs: 100 },
      run: async () => {
        begun += 1;
        await end;
        return { rows: 1 };
      },
    });
    await rig.startWorker([job]);
    await vi.waitFor(async () => {
      const [row] = await rig.database.query("SELECT last_skipped_at FROM jobs WHERE name = 'long'");
      expect(row?.['last_skipped_at']).not.toBeNull();
      // The slot is taken a moment before the run begins, so a tick may be skipped first.
      expect(begun).toBeGreaterThan(0);
    }, PATIENCE);
    expect(begun).toBe(1);
    resolve();
  });

  it('retains one run of those without work', async () => {
    let ticks = 0;
    const job = makeJob({
      name: 'idle',
      schedule: { everyMs: 50 },
      run: async () => {
        ticks += 1;
        return { rows: ticks === 3 ? 7 : 0 };
      },
    });
    const worker = await rig.startWorker([job]);
    await vi.waitFor(() => expect(ticks).toBeGreaterThan(6), PATIENCE);
    await worker.stop();
    expect(
      await rig.database.query(
        "SELECT rows FROM job_runs WHERE job = 'idle' AND state = 'succeeded' ORDER BY created_at",
      ),
    ).toEqual([{ rows: '7' }, { rows: '0' }]);
  });
});

describe('writing schedules', () => {
  const hourly = makeJob({ name: 'hourly', schedule: { everyMs: 3_600_000 } });
  const daily = makeJob({ name: 'daily', schedule: { cron: '0 3 * * *' } });

  it('again does not move the next tick', async () => {
    await writeSchedules(queue, [hourly, daily]);
    // The first tick of an interval is at once; the worker that takes it plans the next.
    const worker = await rig.startWorker([hourly, daily]);
    await vi.waitFor(
      async () => expect((await queue.getJobScheduler('hourly'))?.next).toBeGreaterThan(Date.now() + 60_000),
      PATIENCE,
    );
    await worker.stop();
    const before = await queue.getJobSchedulers();
    for (let again = 0; again < 3; again += 1) await writeSchedules(queue, [hourly, daily]);
    expect((await queue.getJobSchedulers()).map(({ key, next }) => ({ key, next }))).toEqual(
      before.map(({ key, next }) => ({ key, next })),
    );
    expect(await queue.getDelayedCount()).toBe(2);
  });

  it('leaves alone a cron tick that is due and not taken yet', async () => {
    await writeSchedules(queue, [daily]);
    const { next } = (await queue.getJobScheduler('daily'))!;
    // Now it is due, and no worker takes it.
    const prefix = `${bullmqPrefix(rig.namespace)}:${SCHEDULES_QUEUE}`;
    const due = Date.now() - 5;
    await rig.redis.zadd(`${prefix}:repeat`, due, 'daily');
    await rig.redis.rename(`${prefix}:repeat:daily:${next}`, `${prefix}:repeat:daily:${due}`);
    await rig.redis.zrem(`${prefix}:delayed`, `repeat:daily:${next}`);
    await rig.redis.zadd(`${prefix}:delayed`, due * 0x1000, `repeat:daily:${due}`);
    await writeSchedules(queue, [daily]);
    expect((await queue.getDelayed()).map((job) => job.id)).toEqual([`repeat:daily:${due}`]);
  });

  it('removes those of jobs that are gone, from Redis and from the table', async () => {
    await writeSchedules(queue, [hourly, daily]);
    await removeOtherSchedules(queue, [daily]);
    expect(await schedulers()).toEqual(['daily']);
    expect((await queue.getDelayed()).map((job) => job.name)).toEqual(['daily']);
  });

  it('at the start of a worker: removed jobs are gone, and what waited for them has failed', async () => {
    await (await rig.startWorker([hourly, daily])).stop();
    const id = await rig.request('hourly');
    await rig.startWorker([daily]);
    await vi.waitFor(async () => expect(await schedulers()).toEqual(['daily']), PATIENCE);
    expect(await rig.database.query('SELECT name FROM jobs')).toEqual([{ name: 'daily' }]);
    expect(await rig.run(id)).toMatchObject({ state: 'failed', error: 'there is no such job any more' });
  });

  it('a schedule of another version is removed with its next tick', async () => {
    await rig.startWorker([daily]);
    await vi.waitFor(async () => expect(await schedulers()).toEqual(['daily']), PATIENCE);
    await queue.upsertJobScheduler('old', { every: 60_000 }, { name: 'old' });
    await vi.waitFor(async () => expect(await schedulers()).toEqual(['daily']), PATIENCE);
  });

  it('after FLUSHALL: written again by the next refresh', async () => {
    await rig.startWorker([hourly, daily], { refreshMs: 100 });
    await vi.waitFor(async () => expect(await schedulers()).toEqual(['daily', 'hourly']), PATIENCE);
    await rig.redis.del(await rig.redis.keys(`*${rig.namespace}*`));
    await vi.waitFor(async () => expect(await schedulers()).toEqual(['daily', 'hourly']), PATIENCE);
  });

  it('not at all without ENABLE_BACKGROUND_TASKS; a requested run is run', async () => {
    const job = makeJob({ name: 'off', schedule: { everyMs: 50 } });
    await rig.startWorker([job], { schedules: false, sweepMs: 50 });
    const id = await rig.request('off');
    await rig.runIn(id, 'succeeded');
    expect(await schedulers()).toEqual([]);
    expect(await rig.database.query("SELECT trigger FROM job_runs WHERE job = 'off'")).toEqual([
      { trigger: 'request' },
    ]);
    expect(await rig.database.query('SELECT stale_at FROM jobs')).toEqual([{ stale_at: null }]);
  });
});

const outdate = (name: string, ticked: string) =>
  rig.database.query(
    `UPDATE jobs SET stale_at = now() - interval '1 second', last_tick_at = now() - $2::interval WHERE name = $1`,
    [name, ticked],
  );

it('several workers note the next ticks at once, and do not deadlock', async () => {
  const jobs = Array.from({ length: 20 }, (_, at) => makeJob({ name: `job-${at}`, schedule: { everyMs: 3_600_000 } }));
  await registerJobs(rig.opened.db, jobs, true);
  const names = jobs.map(({ name }) => name);
  let noted = 0;
  const note = async (): Promise<void> => {
    for (let round = 0; round < 300; round += 1) {
      noted += 1;
      await noteNextTicks(rig.opened.db, new Map(names.map((name) => [name, new Date(noted)])));
    }
  };
  // Each tick writes this too; it moves its job to the end of the table.
  const tick = async (): Promise<void> => {
    for (let round = 0; round < 1_200; round += 1) await noteSkipped(rig.opened.db, names[(round * 7) % 20]!);
  };
  const all = Promise.all([note(), note(), note(), note(), tick(), tick(), tick()]);
  await expect(all).resolves.toHaveLength(7);
});

describe('a job without a success for too long', () => {
  const job = makeJob({ name: 'daily', schedule: { cron: '0 3 * * *' }, run: async () => ({ rows: 1 }) });

  it('that has not ticked either is started again, and is reported until it has succeeded', async () => {
    const worker = await rig.startWorker([job]);
    await worker.schedules!.refresh();
    expect(worker.schedules!.state.stale).toEqual([]);
    await outdate('daily', '10 days');
    await worker.schedules!.refresh();
    expect(worker.schedules!.state.stale).toEqual(['daily']);
    expect(rig.log).toContainEqual(expect.objectContaining({ level: 50, jobs: ['daily'] }) as unknown);
    await vi.waitFor(async () => {
      const runs = await rig.database.query("SELECT state FROM job_runs WHERE job = 'daily'");
      expect(runs).toEqual([{ state: 'succeeded' }]);
    }, PATIENCE);
    await vi.waitFor(async () => {
      await worker.schedules!.refresh();
      expect(worker.schedules!.state.stale).toEqual([]);
    }, PATIENCE);
    // Its own time again.
    expect(new Date((await queue.getJobScheduler('daily'))!.next!).getUTCHours()).toBe(3);
  });

  it('that ticks and fails is reported, and left to its schedule', async () => {
    let runs = 0;
    const failing = makeJob({
      name: 'failing',
      schedule: { everyMs: 3_600_000 },
      run: async () => {
        runs += 1;
        throw new Error('no');
      },
    });
    const worker = await rig.startWorker([failing]);
    await vi.waitFor(() => expect(rig.log.some((line) => line['msg'] === 'job failed')).toBe(true), PATIENCE);
    await outdate('failing', '1 minute');
    for (let again = 0; again < 3; again += 1) await worker.schedules!.refresh();
    expect(worker.schedules!.state.stale).toEqual(['failing']);
    expect(rig.log.filter((line) => 'jobs' in line)).toHaveLength(1);
    expect(runs).toBe(1);
  });

  it('is repaired by one of several workers', async () => {
    const workers = await Promise.all(['a', 'b', 'c'].map((name) => rig.startWorker([job], { name })));
    await Promise.all(workers.map((worker) => worker.schedules!.refresh()));
    await outdate('daily', '10 days');
    await Promise.all(workers.map((worker) => worker.schedules!.refresh()));
    await vi.waitFor(async () => {
      expect(await rig.database.query("SELECT state FROM job_runs WHERE job = 'daily'")).toEqual([
        { state: 'succeeded' },
      ]);
    }, PATIENCE);
    expect(rig.log.filter((line) => String(line['msg']).includes('written again'))).toHaveLength(1);
  });
});

import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type Operations, startOperations } from '@sluice/testkit/operations';

/** How long a test waits for what must happen; a machine that hangs, not one that is slow. */
const PATIENCE = { timeout: 180_000, interval: 20 };

let operations: Operations;
beforeAll(async () => {
  operations = await startOperations({}, { ingest: false });
});
afterAll(() => operations.stop());

const runs = (condition: string) =>
  operations.pipeline.database.query(`SELECT id, state, error, worker FROM job_runs WHERE ${condition}`);

it('kill -9 in the middle of a run: the next worker fails it as dead, and runs waiting requests', async () => {
  const { startMaintenance, ask, pipeline } = operations;
  const first = await startMaintenance();
  await vi.waitFor(async () => expect((await ask('GET', '/api/jobs')).body.jobs.length).toBeGreaterThan(3), PATIENCE);
  // Nothing gets through to the sessions, so the run lasts as long as the test likes.
  const blocker = await pipeline.database.connect();
  await blocker.query('BEGIN; LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE');
  const { id } = (await ask('POST', '/api/jobs/close-sessions/runs')).body;
  await vi.waitFor(async () => expect(await runs("state = 'running'")).toHaveLength(1), PATIENCE);
  first.kill('SIGKILL');
  await first.exited;
  const waiting = (await ask('POST', '/api/jobs/close-sessions/runs')).body.id as string;
  await blocker.query('ROLLBACK');
  await blocker.end();
  const second = await startMaintenance();
  await vi.waitFor(
    async () => expect(await runs(`id = '${waiting}'`)).toMatchObject([{ state: 'succeeded' }]),
    PATIENCE,
  );
  expect(await runs(`id = '${id}'`)).toMatchObject([
    { state: 'failed', error: expect.stringContaining('the worker died') as string },
  ]);
  await second.stop();
});

it('a request that Redis has lost is run by the next sweep', async () => {
  const { startMaintenance, ask, pipeline } = operations;
  const { status, body } = await ask('POST', '/api/jobs/expire-history/runs');
  expect(status).toBe(202);
  const keys = await pipeline.redis.keys(`{${pipeline.namespace}:jobs}*`);
  await pipeline.redis.del(keys);
  const worker = await startMaintenance();
  await vi.waitFor(
    async () => expect(await runs(`id = '${body.id}'`)).toMatchObject([{ state: 'succeeded' }]),
    PATIENCE,
  );
  await worker.stop();
});

it('every job of the table runs by its schedule, and /health names stale ones', async () => {
  const { startMaintenance, ask, pipeline } = operations;
  const worker = await startMaintenance({ ENABLE_BACKGROUND_TASKS: 'true' });
  await vi.waitFor(async () => {
    const { jobs } = (await ask('GET', '/api/jobs')).body as { jobs: Record<string, unknown>[] };
    const scheduled = jobs.filter((job) => 'every_ms' in ((job['schedule'] as object | null) ?? {}));
    expect(scheduled.length).toBeGreaterThan(5);
    for (const job of scheduled) {
      expect(job, String(job['name'])).toMatchObject({ stale: false, last_succeeded_at: expect.any(String) as string });
    }
  }, PATIENCE);
  expect((await (await fetch(`${worker.url}/health`)).json()) as object).toMatchObject({
    checks: { schedules: 'ok' },
    details: { schedules: { stale: [] } },
  });
  await pipeline.database.query("UPDATE jobs SET stale_at = now() - interval '1 day' WHERE name = 'expire-history'");
  expect((await ask('GET', '/api/jobs')).body.jobs.filter((job: { stale: boolean }) => job.stale)).toMatchObject([
    { name: 'expire-history' },
  ]);
  await worker.stop();
});

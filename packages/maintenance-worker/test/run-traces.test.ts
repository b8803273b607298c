import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import type { ReceivedSpan } from '@sluice/local-stack/otlp-messages';
import type { TestDaemon } from '@sluice/testkit/test-daemon';
import { startTracedOperations, type TracedOperations } from './fixtures/traced-operations.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';

let traced: TracedOperations;
let worker: TestDaemon | undefined;
beforeAll(async () => {
  traced = await startTracedOperations();
});
afterEach(() => worker?.stop());
afterAll(() => traced.stop());

const start = async (env: Record<string, string> = {}): Promise<void> => {
  worker = await traced.startWorker(env);
};
const ended = (id: unknown, state: string) =>
  vi.waitFor(
    async () => {
      const [run] = await traced.operations.pipeline.database.query('SELECT state FROM job_runs WHERE id = $1', [id]);
      expect(run).toEqual({ state });
    },
    { timeout: 180_000, interval: 20 },
  );

const askingRedis = (): readonly ReceivedSpan[] =>
  traced.spans().filter(({ kind, name }) => kind === 'client' && !name.startsWith('pg.query:'));

it('each tick of a schedule is a trace of its own, and nothing else is', async () => {
  worker = await traced.operations.startMaintenance({ ...traced.env, ENABLE_BACKGROUND_TASKS: 'true' });
  // An export may arrive before the one that was sent before it, so a run's spans can come after the run.
  await traced.receiver.until(
    () =>
      traced.spans('run fold-rollups').length > 1 &&
      traced.spans('run remove-idle-consumers').length > 0 &&
      askingRedis().length > 0,
    'a second tick of fold-rollups',
  );
  const roots = traced.spans().filter((span) => span.parentSpanId === null);
  expect(new Set(roots.map(({ traceId }) => traceId)).size).toBe(roots.length);
  const names = new Set(roots.map(({ name }) => name));
  expect([...names].filter((name) => !name.startsWith('run '))).toEqual([]);
  expect([...names]).toEqual(expect.arrayContaining(['run rotate-segments', 'run check-fence', 'run queue-exports']));
  for (const root of roots) {
    expect(root).toMatchObject({
      kind: 'internal',
      status: 'unset',
      links: [],
      attributes: {
        'sluice.job.name': root.name.slice('run '.length),
        'sluice.run.trigger': 'schedule',
        'sluice.run.state': 'succeeded',
        'sluice.run.id': expect.any(String) as string,
        'sluice.rows': expect.any(Number) as number,
      },
    });
  }
  // What BullMQ asks Redis for is in no trace: there is but one job that asks it for something.
  const jobOf = new Map(roots.map(({ traceId, name }) => [traceId, name]));
  expect([...new Set(askingRedis().map(({ traceId }) => jobOf.get(traceId)))]).toEqual(['run remove-idle-consumers']);
});

it('a requested run is a trace of its own that links to the request; one that a sweep finds links to nothing', async () => {
  const { database } = traced.operations.pipeline;
  await start();
  const { id } = await traced.request('/api/jobs/rotate-segments/runs', {}, `00-${TRACE}-b7ad6b7169203331-01`);
  const run = await traced.span('run rotate-segments', { 'sluice.run.id': id });
  const request = (): ReceivedSpan | undefined =>
    traced.receiver.spans.find(
      (span) => span.service === 'sluice-query-api' && span.traceId === TRACE && span.kind === 'server',
    );
  await traced.receiver.until(() => request() !== undefined, 'the request');
  const asked = request();
  expect(run).toMatchObject({ parentSpanId: null, links: [{ traceId: TRACE, spanId: asked?.spanId }] });
  expect(run.traceId).not.toBe(TRACE);
  expect(run.attributes).toMatchObject({ 'sluice.run.trigger': 'request', 'sluice.run.state': 'succeeded' });
  await worker?.stop();

  const [found] = await database.query<{ id: string }>(
    `INSERT INTO job_runs (id, job, state, trigger, requested_by, input)
     VALUES (gen_random_uuid(), 'check-fence', 'queued', 'request', 'ada', '{}') RETURNING id`,
  );
  await start();
  expect((await traced.span('run check-fence', { 'sluice.run.id': found!.id })).links).toEqual([]);
});

it('at a ratio of 0 the trace of a failed run is kept whole, and that of a successful one is not', async () => {
  const { database } = traced.operations.pipeline;
  await start({ OTEL_TRACES_SAMPLER_ARG: '0' });
  const unsampled = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00';
  const well = await traced.request('/api/jobs/check-segments/runs', {}, unsampled);
  await ended(well['id'], 'succeeded');
  await database.query("UPDATE segments SET state = 'closed' WHERE state = 'hot'");
  const badly = await traced.request('/api/jobs/check-segments/runs', {}, unsampled);
  const run = await traced.span('run check-segments', { 'sluice.run.id': badly['id'] });
  expect(run).toMatchObject({
    status: 'error',
    statusMessage: expect.stringMatching(/^there is no hot segment/) as string,
    attributes: { 'sluice.run.state': 'failed' },
    events: [{ name: 'exception' }],
  });
  expect(traced.traceOf(run).length).toBeGreaterThan(1);
  expect(traced.spans('run check-segments').map(({ attributes }) => attributes['sluice.run.id'])).not.toContain(
    well['id'],
  );
});

it('a run of many batches shows its first statements, and how many it left out', async () => {
  const { database } = traced.operations.pipeline;
  const letters = 400_000;
  await start();
  await database.query(
    `INSERT INTO audit_log (at, actor, action, affected)
     SELECT now() - interval '500 days', 'ada', 'test', 1 FROM generate_series(1, $1::int)`,
    [letters],
  );
  const { id } = await traced.request('/api/jobs/expire-dead-letters/runs', {});
  const run = await traced.span('run expire-dead-letters', { 'sluice.run.id': id });
  expect(run.attributes).toMatchObject({
    'sluice.rows': letters,
    'sluice.spans.left_out': expect.any(Number) as number,
  });
  expect(run.attributes['sluice.spans.left_out']).toBeGreaterThan(100);
  expect(traced.traceOf(run).length).toBeLessThan(310);
});

import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { post } from '@sluice/testkit/http';
import { operatorKey, type Operations, startOperations } from '@sluice/testkit/operations';
import { ownRedis } from '@sluice/testkit/own-servers';
import { startTestDaemon } from '@sluice/testkit/test-daemon';

const NO_RUN = '0b3f6a52-6d0e-4c57-9a38-5f0d7a1c9e11';
const INPUT = {
  type: 'object',
  properties: { days: { type: 'integer', minimum: 1 }, dry_run: { type: 'boolean', default: false } },
  required: ['days'],
  additionalProperties: false,
};

let operations: Operations;
beforeAll(async () => {
  operations = await startOperations(
    {
      API_KEY: 'the-key',
      OPERATOR_KEYS: [operatorKey('olga', 'o'), operatorKey('mallory@evil', 'm')].join(','),
    },
    { ingest: false },
  );
});
afterAll(() => operations.stop());
beforeEach(async () => {
  const { database } = operations.pipeline;
  await database.query('TRUNCATE jobs, job_runs, audit_log');
  await database.query(
    `INSERT INTO jobs (name, description, schedule, timeout_ms, concurrency, input, next_run_at, stale_at) VALUES
       ('expire', 'Deletes', '{"everyMs": 60000}', 1000, 1, $1, '2027-01-01', now() + interval '1 hour'),
       ('nightly', 'Cleans', '{"cron": "0 3 * * *"}', 1000, 2, $2, NULL, now() - interval '1 hour'),
       ('rebuild', 'Rebuilds', NULL, 1000, 1, $2, NULL, NULL)`,
    [JSON.stringify(INPUT), JSON.stringify({ type: 'object', properties: {}, additionalProperties: false })],
  );
});

const ask = (method: string, path: string, body?: unknown, key = 'o') => operations.ask(method, path, body, key);

describe('GET /api/jobs', () => {
  it('shows every job: its schedule, its last and next run, and whether it is stale', async () => {
    const { id } = (await ask('POST', '/api/jobs/expire/runs', { days: 1 })).body;
    const { status, body } = await ask('GET', '/api/jobs');
    expect(status).toBe(200);
    expect(body.jobs).toMatchObject([
      {
        name: 'expire',
        description: 'Deletes',
        schedule: { every_ms: 60_000 },
        timeout_ms: 1000,
        concurrency: 1,
        input: INPUT,
        next_run_at: '2027-01-01T00:00:00.000000Z',
        last_run: { id, state: 'queued', trigger: 'request', started_at: null },
        stale: false,
      },
      { name: 'nightly', schedule: { cron: '0 3 * * *' }, last_run: null, stale: true },
      { name: 'rebuild', schedule: null, stale: false },
    ]);
  });
});

describe('POST /api/jobs/{name}/runs', () => {
  it('answers 202 with the run and its location, fills in defaults and notes who asked', async () => {
    const { status, headers, body } = await ask('POST', '/api/jobs/expire/runs', { days: 3 });
    expect(status).toBe(202);
    expect(headers.get('location')).toBe(`/api/jobs/runs/${body.id}`);
    expect(body).toMatchObject({
      job: 'expire',
      state: 'queued',
      trigger: 'request',
      requested_by: 'olga',
      input: { days: 3, dry_run: false },
      rows: 0,
      rows_expected: null,
      duration_ms: null,
      details: {},
      error: null,
      started_at: null,
      finished_at: null,
    });
    expect((await ask('GET', headers.get('location')!)).body).toEqual(body);
    expect((await ask('GET', '/api/audit-log')).body.entries).toMatchObject([
      { actor: 'olga', action: 'jobs.run', details: { run_id: body.id, job: 'expire', input: { days: 3 } } },
    ]);
  });

  it('a missing body is an empty input', async () => {
    expect((await ask('POST', '/api/jobs/rebuild/runs')).status).toBe(202);
  });

  it.each([
    ['expire', {}, /days is missing/],
    ['expire', { days: 0 }, /days must be >= 1/],
    ['expire', { days: '3' }, /days must be integer/],
    ['expire', { days: 3, colour: 'red' }, /no property called colour; known: days, dry_run\./],
    ['expire', { days: 3, dry_run: 'yes' }, /dry_run must be boolean/],
    ['rebuild', { days: 3 }, /no property called days; none is known\./],
    ['rebuild', [], /The body must be object/],
  ])('refuses %s %j by name, and writes nothing down', async (job, body, message) => {
    const answer = await ask('POST', `/api/jobs/${job}/runs`, body);
    expect([answer.status, answer.body.error.code]).toEqual([400, 'invalid_body']);
    expect(answer.body.error.message).toMatch(message);
    expect(await operations.pipeline.database.query('SELECT FROM job_runs')).toEqual([]);
  });

  it('of a job that does not exist is 404', async () => {
    const answer = await ask('POST', '/api/jobs/frobnicate/runs');
    expect([answer.status, answer.body.error.message]).toEqual([404, 'There is no job frobnicate.']);
    expect((await ask('POST', '/api/jobs/..%2Fkeys/runs')).status).toBe(400);
  });

  it('works while Redis is unreachable: the row in Postgres is the request', async () => {
    const redis = await ownRedis();
    const alone = await startTestDaemon('query-api', {
      DATABASE_URL: operations.pipeline.database.url,
      REDIS_URL: redis.url,
    });
    await redis.remove();
    const answer = await post(`${alone.url}/api/jobs/rebuild/runs`, {});
    expect([answer.status, answer.body.state]).toEqual([202, 'queued']);
    await alone.stop();
  });
});

describe('runs', () => {
  it('are listed newest first, of one job or of all, in pages that continue though runs disappear', async () => {
    const made: string[] = [];
    for (let at = 0; at < 5; at += 1) made.unshift((await ask('POST', '/api/jobs/rebuild/runs')).body.id);
    const other = (await ask('POST', '/api/jobs/nightly/runs')).body.id;
    const seen: string[] = [];
    for (let cursor = ''; ;) {
      const { body } = await ask('GET', `/api/jobs/rebuild/runs?limit=2${cursor}`);
      seen.push(...body.runs.map((run: { id: string }) => run.id));
      if (body.next_cursor === null) break;
      cursor = `&cursor=${body.next_cursor}`;
      await operations.pipeline.database.query('DELETE FROM job_runs WHERE id = $1', [seen.at(-1)]);
    }
    expect(seen).toEqual(made);
    expect((await ask('GET', '/api/jobs/runs?limit=1')).body.runs).toMatchObject([{ id: other }]);
    for (const path of ['/api/jobs/rebuild/runs?cursor=x', '/api/jobs/runs?cursor=eHh4', '/api/jobs/runs?limit=0']) {
      expect((await ask('GET', path)).body.error.code, path).toBe('invalid_request');
    }
    expect((await ask('GET', '/api/jobs/frobnicate/runs')).status).toBe(404);
    expect((await ask('GET', '/api/jobs/runs/5')).status).toBe(400);
    expect((await ask('GET', `/api/jobs/runs/${NO_RUN}`)).status).toBe(404);
  });

  it('are cancelled while they wait or run, once', async () => {
    const { id } = (await ask('POST', '/api/jobs/rebuild/runs')).body;
    const cancelled = await ask('POST', `/api/jobs/runs/${id}/cancel`);
    expect([cancelled.status, cancelled.body.state, cancelled.body.error]).toEqual([
      200,
      'cancelled',
      'cancelled by olga',
    ]);
    expect((await ask('POST', `/api/jobs/runs/${id}/cancel`)).body.error.code).toBe('conflict');
    expect((await ask('POST', `/api/jobs/runs/${NO_RUN}/cancel`)).status).toBe(404);
    expect((await ask('POST', `/api/jobs/runs/${id}/cancel`, { now: true })).status).toBe(400);
    expect((await ask('GET', '/api/audit-log')).body.entries[0]).toMatchObject({
      action: 'jobs.cancel',
      details: { run_id: id, job: 'rebuild', from: 'queued' },
    });
  });

  it('that were requested are run by a maintenance worker, and show their result', async () => {
    const worker = await operations.startMaintenance();
    await vi.waitFor(async () => expect((await ask('POST', '/api/jobs/rotate-segments/runs')).status).toBe(202), {
      timeout: 180_000,
      interval: 50,
    });
    await vi.waitFor(
      async () =>
        expect((await ask('GET', '/api/jobs/rotate-segments/runs')).body.runs[0]).toMatchObject({
          state: 'succeeded',
          duration_ms: expect.any(Number) as number,
          worker: expect.stringContaining(':') as string,
        }),
      { timeout: 180_000, interval: 20 },
    );
    await worker.stop();
  });
});

it('a key of one tenant sees no jobs and no runs, and can ask for none', async () => {
  const { id } = (await ask('POST', '/api/jobs/rebuild/runs')).body;
  expect((await ask('GET', '/api/jobs', undefined, 'm')).body).toEqual({ jobs: [] });
  expect((await ask('GET', '/api/jobs/runs', undefined, 'm')).body).toEqual({ runs: [], next_cursor: null });
  for (const [method, path, message] of [
    ['GET', '/api/jobs/rebuild/runs', 'There is no job rebuild.'],
    ['POST', '/api/jobs/rebuild/runs', 'There is no job rebuild.'],
    ['GET', `/api/jobs/runs/${id}`, `There is no run ${id}.`],
    ['POST', `/api/jobs/runs/${id}/cancel`, `There is no run ${id}.`],
  ] as const) {
    const answer = await ask(method, path, undefined, 'm');
    expect([answer.status, answer.body.error.message], path).toEqual([404, message]);
  }
  expect((await ask('GET', `/api/jobs/runs/${id}`)).body.state).toBe('queued');
  expect(await operations.pipeline.database.query('SELECT FROM job_runs')).toHaveLength(1);
});

it('a key that may only read sees jobs and runs, and can neither ask for one nor cancel it', async () => {
  const made = await ask('POST', '/api/keys', { name: 'reader', scopes: ['read'] }, 'the-key');
  const { id } = (await ask('POST', '/api/jobs/rebuild/runs')).body;
  const reader = (method: string, path: string) => ask(method, path, undefined, made.body.key as string);
  await vi.waitFor(async () => expect((await reader('GET', '/api/jobs')).body.jobs).toHaveLength(3), {
    timeout: 180_000,
  });
  expect((await reader('GET', `/api/jobs/runs/${id}`)).status).toBe(200);
  expect((await reader('POST', '/api/jobs/rebuild/runs')).status).toBe(403);
  expect((await reader('POST', `/api/jobs/runs/${id}/cancel`)).status).toBe(403);
});

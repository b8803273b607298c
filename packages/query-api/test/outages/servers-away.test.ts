import { afterAll, beforeAll, expect, it } from 'vitest';
import { freePort } from '@sluice/local-stack/free-port';
import { get } from '@sluice/testkit/http';
import { operatorKey, type Operations, startOperations } from '@sluice/testkit/operations';
import { startTestDaemon } from '@sluice/testkit/test-daemon';

let operations: Operations;
beforeAll(async () => {
  operations = await startOperations({}, { ingest: false });
});
afterAll(() => operations.stop());

it('without Redis dead letters are still served, and a replay is accepted: a worker finds it in Postgres', async () => {
  const { pipeline, seed, startMaintenance, replayIn } = operations;
  await seed(2, { event: { eventType: 'CellChange' } });
  const redisUrl = `redis://127.0.0.1:${await freePort()}`;
  const lonely = await startTestDaemon('query-api', { DATABASE_URL: pipeline.database.url, REDIS_URL: redisUrl });
  expect((await get(`${lonely.url}/api/dead-letters`)).body.dead_letters).toHaveLength(2);
  expect((await get(`${lonely.url}/health`)).body).toMatchObject({
    status: 'degraded',
    checks: { postgres: 'ok', redis: 'failed' },
  });
  expect((await get(`${lonely.url}/ready`)).status).toBe(200);
  const answer = await fetch(`${lonely.url}/api/dead-letters/replays`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"filter":{}}',
  });
  expect(answer.status).toBe(202);
  const { id } = (await answer.json()) as { id: string };
  const daemons = [await pipeline.startWriter('writer-1'), await startMaintenance()];
  expect(await replayIn(id, 'succeeded')).toMatchObject({ stored: 2 });
  await Promise.all([...daemons, lonely].map((daemon) => daemon.stop()));
});

it('says loudly that it runs open', async () => {
  expect(operations.query.output()).toMatch(/QUERY API RUNS OPEN/);
  const { body } = await get(`${operations.query.url}/health`);
  expect(body).toMatchObject({
    status: 'degraded',
    details: { authentication: { warning: expect.stringMatching(/open/) as string } },
  });
});

it.each([
  ['API_KEY', ''],
  ['OPERATOR_KEYS', ''],
  ['OPERATOR_KEYS', 'ada:12'],
  ['OPERATOR_KEYS', `${operatorKey('ada', 'k')},${operatorKey('bob@acme', 'k')}`],
  ['TRACE_URL_TEMPLATE', 'http://localhost/trace'],
])('refuses %s="%s" at the start, and never shows a secret', async (name, value) => {
  const error: Error = await startTestDaemon('query-api', {
    DATABASE_URL: operations.pipeline.database.url,
    [name]: value,
  }).then(
    () => new Error('it started'),
    (thrown: Error) => thrown,
  );
  expect(error.message).toContain(name);
  if (value.length > 10 && name !== 'TRACE_URL_TEMPLATE')
    expect(error.message).not.toContain(value.split(':')[1]!.slice(0, 20));
});

it('serves its documentation, with the headers of helmet', async () => {
  const { url } = operations.query;
  const answer = await get(`${url}/docs/json`);
  expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
  expect(answer.body.openapi).toBe('3.1.0');
  const page = await fetch(`${url}/docs`);
  expect(page.status).toBe(200);
  expect(page.headers.get('content-security-policy')).toMatch(/default-src 'none'; script-src 'self'/);
});

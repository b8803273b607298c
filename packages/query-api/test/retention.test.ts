import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { operatorKey, type Operations, startOperations } from '@sluice/testkit/operations';
import { cursorAfter } from '../src/http/paging.ts';
import { RETENTION } from '../src/retention/rows.ts';

let operations: Operations;
beforeAll(async () => {
  operations = await startOperations(
    { API_KEY: 'the-key', OPERATOR_KEYS: operatorKey('ada@acme', 'a') },
    { ingest: false },
  );
});
afterAll(() => operations.stop());
beforeEach(() => operations.pipeline.database.query('TRUNCATE tenant_retention, audit_log'));

const ask = (method: string, path: string, body?: unknown, key = 'the-key') =>
  operations.ask(method, `/api/retention${path}`, body, key);

it('is set, changed, listed and cleared, each with an entry in the audit log', async () => {
  const set = await ask('PUT', '/acme', { days: 7 });
  expect([set.status, set.body]).toEqual([
    200,
    { tenant: 'acme', days: 7, updated_at: expect.stringMatching(/Z$/) as string, updated_by: 'api-key' },
  ]);
  expect((await ask('PUT', '/acme', { days: 0 })).body).toMatchObject({ days: 0 });
  expect((await ask('GET', '/acme')).body).toMatchObject({ tenant: 'acme', days: 0 });
  expect((await ask('DELETE', '/acme')).body).toMatchObject({ tenant: 'acme', days: 0 });
  expect((await ask('GET', '')).body).toEqual({ retention: [], next_cursor: null });
  for (const method of ['GET', 'DELETE']) {
    const answer = await ask(method, '/acme');
    expect([answer.status, answer.body.error.message]).toEqual([404, expect.stringContaining('acme')]);
  }
  const notes = await operations.pipeline.database.query('SELECT actor, action, details FROM audit_log ORDER BY id');
  expect(notes).toEqual([
    { actor: 'api-key', action: 'retention.set', details: { tenant: 'acme', days: 7, before: null } },
    { actor: 'api-key', action: 'retention.set', details: { tenant: 'acme', days: 0, before: 7 } },
    { actor: 'api-key', action: 'retention.clear', details: { tenant: 'acme', before: 0 } },
  ]);
});

const names = (page: { retention: { tenant: string }[] }) => page.retention.map(({ tenant }) => tenant);

it('is listed in pages, by name', async () => {
  for (const tenant of ['c', 'a', 'Ärger & Söhne/1', 'b']) {
    expect((await ask('PUT', `/${encodeURIComponent(tenant)}`, { days: 3 })).body).toMatchObject({ tenant });
  }
  const first = (await ask('GET', '?limit=3')).body;
  const rest = (await ask('GET', `?limit=3&cursor=${first.next_cursor}`)).body;
  expect([names(first), names(rest), rest.next_cursor]).toEqual([['a', 'b', 'c'], ['Ärger & Söhne/1'], null]);
});

it.each([
  [{ days: -1 }, /days/],
  [{ days: 1.5 }, /days/],
  [{ days: '7' }, /days/],
  [{ days: 36_501 }, /days/],
  [{}, /days is missing/],
  [{ days: 7, tenant: 'x' }, /tenant/],
])('refuses %j by name', async (body, message) => {
  const answer = await ask('PUT', '/acme', body);
  expect([answer.status, answer.body.error.message]).toEqual([400, expect.stringMatching(message)]);
});

it('a key of one tenant reads its own, sees no other, and sets none', async () => {
  for (const tenant of ['acme', 'victim']) await ask('PUT', `/${tenant}`, { days: 7 });
  expect((await ask('GET', '/acme', undefined, 'a')).body).toMatchObject({ days: 7 });
  expect((await ask('GET', '', undefined, 'a')).body.retention).toMatchObject([{ tenant: 'acme' }]);
  expect((await ask('GET', `?cursor=${cursorAfter(['b'], RETENTION)}`, undefined, 'a')).body.retention).toEqual([]);
  for (const [method, tenant] of [
    ['GET', 'victim'],
    ['GET', 'nobody'],
    ['PUT', 'victim'],
    ['DELETE', 'victim'],
    ['PUT', 'acme'],
    ['DELETE', 'acme'],
  ] as const) {
    const answer = await ask(method, `/${tenant}`, method === 'PUT' ? { days: 1 } : undefined, 'a');
    expect([method, tenant, answer.status]).toEqual([method, tenant, 403]);
    expect(JSON.stringify(answer.body)).not.toContain('victim');
  }
  expect((await ask('GET', '')).body.retention).toMatchObject([{ days: 7 }, { days: 7 }]);
});

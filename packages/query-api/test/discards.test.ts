import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { expectError } from '@sluice/testkit/expect-error';
import { type Operations, startOperations } from '@sluice/testkit/operations';

let operations: Operations;
beforeAll(async () => {
  operations = await startOperations({}, { ingest: false });
});
afterAll(() => operations.stop());
beforeEach(() => operations.pipeline.database.query('TRUNCATE dead_letters, audit_log'));

const discard = (body: object) => operations.ask('POST', '/api/dead-letters/discards', body);
const dead = async () =>
  (await operations.ask('GET', '/api/dead-letters?limit=1000')).body.dead_letters.length as number;

it('discards the ones that are named, with a reason; they stay readable', async () => {
  const ids = await operations.seed(5);
  expect((await discard({ ids: [ids[1], Number(ids[3])], reason: 'test data' })).body).toEqual({
    discarded: 2,
    nothing_to_do: [],
  });
  expect(await dead()).toBe(3);
  expect((await operations.ask('GET', `/api/dead-letters/${ids[1]}`)).body).toMatchObject({
    state: 'discarded',
    settled_at: expect.stringMatching(/Z$/) as string,
  });
  expect((await discard({ ids: [ids[0], ids[1]], reason: 'again' })).body).toEqual({
    discarded: 1,
    nothing_to_do: [
      { id: ids[1], state: 'discarded', since: expect.stringMatching(/^\d{4}-.*Z$/) as string, by: 'anonymous' },
    ],
  });
});

it('discards all matches in batches, with one entry in the audit log', async () => {
  await operations.seed(2_300, { reason: 'too_complex' });
  await operations.seed(5);
  expect((await discard({ filter: { reason: 'too_complex' }, reason: 'load test' })).body).toEqual({
    discarded: 2_300,
    nothing_to_do: [],
  });
  expect(await dead()).toBe(5);
  const { entries } = (await operations.ask('GET', '/api/audit-log')).body;
  expect(entries).toEqual([
    {
      id: expect.any(String) as string,
      at: expect.stringMatching(/^\d{4}-.*Z$/) as string,
      actor: 'anonymous',
      tenant: null,
      action: 'dead_letters.discard',
      affected: 2_300,
      reason: 'load test',
      details: { reason: 'too_complex' },
    },
  ]);
});

it('an empty filter means all that are dead', async () => {
  await operations.seed(3);
  expect((await discard({ filter: {}, reason: 'all of it' })).body).toEqual({ discarded: 3, nothing_to_do: [] });
});

it.each([
  [{ filter: {} }, 400, /note is missing/],
  [{ reason: 'why' }, 400, /either ids or filter/],
  [{ ids: ['1'], filter: {}, reason: 'why' }, 400, /either ids or filter/],
  [{ ids: [], reason: 'why' }, 400, /ids/],
  [{ ids: ['x'], reason: 'why' }, 400, /ids\.0/],
  [{ ids: ['999999'], reason: 'why' }, 404, /999999/],
  [{ filter: { state: 'all' }, reason: 'why' }, 400, /filter\.state/],
  [{ filter: { since: 'noon' }, reason: 'why' }, 400, /filter\.since/],
  [{ filter: {}, reason: 'why', force: true }, 400, /force/],
])('refuses %j by name', async (body, status, message) => {
  const answer = await discard(body);
  expect([answer.status, answer.body.error.message]).toEqual([status, expect.stringMatching(message)]);
  expect((await operations.ask('GET', '/api/audit-log')).body.entries).toEqual([]);
});

it('the audit log is paged too', async () => {
  for (const reason of ['a', 'b', 'c']) await discard({ filter: {}, reason });
  const first = (await operations.ask('GET', '/api/audit-log?limit=2')).body;
  const rest = (await operations.ask('GET', `/api/audit-log?limit=2&cursor=${first.next_cursor}`)).body;
  expect([...first.entries, ...rest.entries].map((entry: { reason: string }) => entry.reason)).toEqual(['c', 'b', 'a']);
  expect(rest.next_cursor).toBeNull();
  expect((await operations.ask('GET', '/api/audit-log?actor=x')).body.error.message).toMatch(/actor/);
});

it('takes the note under both of its names, one at a time, and asks for one by name', async () => {
  const [one, two, three] = await operations.seed(3);
  expect((await discard({ ids: [one], note: 'new name' })).body).toMatchObject({ discarded: 1 });
  expect((await discard({ ids: [two], reason: 'old name' })).body).toMatchObject({ discarded: 1 });
  const { entries } = (await operations.ask('GET', '/api/audit-log')).body;
  expect(entries.map((entry: { reason: string }) => entry.reason)).toEqual(['old name', 'new name']);
  expectError(await discard({ ids: [three] }), 'invalid_body', /^note is missing/);
  expectError(
    await discard({ ids: [three], note: 'a', reason: 'b' }),
    'invalid_body',
    /^note and reason are two names/,
  );
  expectError(await discard({ ids: [three], note: '' }), 'invalid_body', /note/);
  expect(await dead()).toBe(1);
});

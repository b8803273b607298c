import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Answer, post } from '@sluice/testkit/http';
import { makeEvent } from '@sluice/testkit/make-event';
import { operatorKey, type Operations, startOperations } from '@sluice/testkit/operations';

/** Texts with a meaning in SQL, arrays, JSON, patterns or URLs, for code that does not bind its parameters. */
const HOSTILE = [
  "' OR '1'='1",
  "'; DROP TABLE events; --",
  "') UNION ALL SELECT * FROM api_keys --",
  '" OR true --',
  '$1',
  "'::text",
  '{a,b}',
  '{"$ne":null}',
  '%',
  '_',
  '\\',
  "\\'",
  '../../etc/passwd',
  '?tenant=victim&x=',
  'victim',
  '*',
  'NULL',
  '\u0000',
  'a\u0000b',
  '\ud800',
  '\u2028\r\nX-Injected: 1',
  'data: x\n\nevent: y',
  '__proto__',
  'constructor',
];

const SECRET = 'nobody else may see this';
const KEY = 'evils-key';

let operations: Operations;
beforeAll(async () => {
  operations = await startOperations({
    API_KEY: 'the-key',
    OPERATOR_KEYS: operatorKey('mallory@evil', KEY),
    RATE_LIMIT_PER_MINUTE: '0',
  });
  const { pipeline } = operations;
  await pipeline.startWriter('writer-1');
  await post(`${pipeline.ingest.url}/api/events`, {
    events: [
      ...HOSTILE.map((text) =>
        makeEvent({ userName: text, sessionId: text, workbookName: text, correlationId: text, note: text }),
      ),
      makeEvent({ userName: 'plain', note: 'plain' }),
    ],
  });
  await pipeline.stored(HOSTILE.length + 1);
  await pipeline.drained();
  await pipeline.database.query("UPDATE events SET tenant = 'evil'");
  await pipeline.database.query("UPDATE sessions SET tenant = 'evil'");
  await post(`${pipeline.ingest.url}/api/events`, { events: [makeEvent({ userName: SECRET, sessionId: SECRET })] });
  await pipeline.stored(HOSTILE.length + 2);
});
afterAll(() => operations.stop());

const ask = (query: unknown) => operations.ask('POST', '/api/events/query', query, KEY);
const get = (path: string) => operations.ask('GET', path, undefined, KEY);

function expectHarmless({ status, headers, body }: Answer, what: string): void {
  expect([200, 400, 403, 404], `${what} is ${status}: ${JSON.stringify(body)}`).toContain(status);
  expect(JSON.stringify(body), what).not.toContain(SECRET);
  expect(headers.get('x-injected'), what).toBeNull();
}

it.each(HOSTILE)('%j is a value, and finds what has it', async (text) => {
  // Postgres can store neither NUL nor half a character.
  const stored = text.toWellFormed().replaceAll('\0', '\uFFFD');
  const same = HOSTILE.filter((each) => each.toWellFormed().replaceAll('\0', '\uFFFD') === stored).length;
  for (const field of ['user_names', 'session_ids', 'workbook_names']) {
    const { body } = await ask({ [field]: [text] });
    expect(body.events, field).toHaveLength(same);
    expect(body.events[0]).toMatchObject({ userName: stored, note: stored });
    expect((await ask({ [field]: [text, `${text}x`] })).body.events, field).toHaveLength(same);
  }
  expect((await ask({ correlation_id: text })).body.events).toHaveLength(same);
  expect((await ask({ payload: { note: text } })).body.events).toHaveLength(same);
  expect((await ask({ event_types: [text.slice(0, 64)] })).body.events).toEqual([]);
  const session = await get(`/api/sessions/${encodeURIComponent(text.toWellFormed())}`);
  expectHarmless(session, 'session');
  if (session.status === 200) expect(session.body).toMatchObject({ session_id: stored, event_count: same });
});

it.each(HOSTILE)('%j as anything else is refused or finds nothing', async (text) => {
  const encoded = encodeURIComponent(text.toWellFormed());
  for (const property of [
    'start_time',
    'end_time',
    'order',
    'limit',
    'offset',
    'cursor',
    'include_total',
    'tenant',
    'payload',
  ]) {
    expectHarmless(await ask({ [property]: text }), property);
  }
  if (text !== '__proto__') expectHarmless(await ask({ payload: { [text]: { [text]: [text] } } }), 'payload');
  expectHarmless(await ask({ [text]: 1 }), 'a name');
  for (const [path, names] of [
    ['/api/events/statistics', ['start_time', 'end_time', 'interval', 'distinct', 'tenant', encoded]],
    ['/api/events/recent', ['limit', 'tenant']],
    ['/api/sessions', ['user_name', 'state', 'start_time', 'order', 'cursor', 'limit', 'tenant']],
    ['/api/events/stream', ['tenant', 'colour']],
  ] as const) {
    for (const name of names) expectHarmless(await get(`${path}?${name}=${encoded}`), `${path}?${name}`);
  }
  expectHarmless(await get(`/api/events/${encoded}`), 'event id');
  expectHarmless(await get(`/api/sessions/plain?cursor=${encoded}`), 'cursor of a session');
});

it.each(HOSTILE)('%j as a tenant, with a key of all tenants, is refused or has no event', async (text) => {
  const encoded = encodeURIComponent(text.toWellFormed());
  expectHarmless(await operations.ask('POST', '/api/events/query', { tenant: text }, 'the-key'), 'query');
  for (const path of ['/api/events/statistics', '/api/events/recent', '/api/sessions', '/api/sessions/plain'])
    expectHarmless(await operations.ask('GET', `${path}?tenant=${encoded}`, undefined, 'the-key'), path);
});

it('ids of dead letters beyond what a column holds are refused', async () => {
  for (const id of [32862847253702810000, 2 ** 63, '9'.repeat(19)]) {
    const answer = await operations.ask('POST', '/api/dead-letters/replays', { ids: [id], dry_run: true }, 'the-key');
    expect(answer.status, String(id)).toBe(400);
  }
});

it('and everything is still there', async () => {
  expect((await operations.pipeline.database.query('SELECT FROM events')).length).toBe(HOSTILE.length + 2);
  const { body } = await operations.ask('POST', '/api/events/query', { user_names: [SECRET] }, 'the-key');
  expect(body.events).toHaveLength(1);
});

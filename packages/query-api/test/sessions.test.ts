import { afterAll, beforeAll, expect, it } from 'vitest';
import { foldAll } from '@sluice/testkit/fold-all';
import { type Operations, startOperations } from '@sluice/testkit/operations';

let operations: Operations;
beforeAll(async () => {
  operations = await startOperations({ RATE_LIMIT_PER_MINUTE: '0' }, { ingest: false });
  await operations.pipeline.database.query(
    `INSERT INTO sessions (tenant, session_id, actor, started_at, last_event_at, last_seen_at, event_count, ended_at)
     SELECT 'default', 'session ' || n || ' / "ü"', CASE WHEN n % 3 > 0 THEN 'user-' || n % 3 END,
            -- Three begin at each time.
            '2026-01-01T00:00:00.000001Z'::timestamptz + make_interval(hours => n / 3), '2026-02-01', '2026-02-01', n,
            CASE WHEN n % 2 = 0 THEN '2026-02-02'::timestamptz END
     FROM generate_series(0, 29) n`,
  );
});
afterAll(() => operations.stop());

const list = async (query: string) => (await operations.ask('GET', `/api/sessions?${query}`)).body;
const numbers = (sessions: readonly { session_id: string }[]) =>
  sessions.map((session) => Number(session.session_id.split(' ')[1]));
const matching = async (query: string) => numbers((await list(query)).sessions).toSorted((a, b) => a - b);

it.each(['asc', 'desc'])('by their start, page by page, equal starts too: %s', async (order) => {
  const whole = numbers((await list(`order=${order}`)).sessions);
  const hours = whole.map((number) => Math.floor(number / 3));
  expect(hours).toEqual(hours.toSorted((a, b) => (order === 'asc' ? a - b : b - a)));
  expect(new Set(whole).size).toBe(30);
  for (const limit of [1, 2, 7, 30]) {
    const found: number[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page = await list(`order=${order}&limit=${limit}${cursor && `&cursor=${cursor}`}`);
      found.push(...numbers(page.sessions));
      cursor = page.next_cursor;
    }
    expect(found, `by ${limit}`).toEqual(whole);
  }
});

it('by user, state and start', async () => {
  const all = Array.from({ length: 30 }, (_, number) => number);
  expect(await matching('user_name=user-1')).toEqual(all.filter((n) => n % 3 === 1));
  expect(await matching('state=open')).toEqual(all.filter((n) => n % 2 === 1));
  expect(await matching('state=closed&user_name=user-2')).toEqual(all.filter((n) => n % 2 === 0 && n % 3 === 2));
  expect(await matching('start_time=2026-01-01T02:00:00.000001Z&end_time=2026-01-01T05:00:00.000001%2B01:00')).toEqual([
    6, 7, 8, 9, 10, 11,
  ]);
  // A plain + is decoded as a space; it can only have been meant as one.
  for (const plus of ['+', '%2B', '%20']) {
    const range = `start_time=2026-01-01T03:30:00.000001${plus}01:30&end_time=2026-01-01T05:00:00.000001${plus}01:00`;
    expect(await matching(range)).toEqual([6, 7, 8, 9, 10, 11]);
  }
  expect(await matching('user_name=nobody')).toEqual([]);
});

it('shows one, closed, and without events', async () => {
  const { body } = await operations.ask('GET', `/api/sessions/${encodeURIComponent('session 4 / "ü"')}`);
  expect(body).toEqual({
    session_id: 'session 4 / "ü"',
    user_name: 'user-1',
    state: 'closed',
    started_at: '2026-01-01T01:00:00.000001Z',
    last_event_at: '2026-02-01T00:00:00.000000Z',
    last_seen_at: '2026-02-01T00:00:00.000000Z',
    ended_at: '2026-02-02T00:00:00.000000Z',
    event_count: 4,
    machine_name: null,
    user_domain: null,
    events: [],
    next_cursor: null,
  });
});

it.each(['state=ended', 'limit=0', 'limit=1001', 'colour=red', 'order=up', 'start_time=now', 'cursor=x', 'cursor='])(
  'refuses %s by name',
  async (query) => {
    const { status, body } = await operations.ask('GET', `/api/sessions?${query}`);
    expect([status, body.error.message]).toEqual([400, expect.stringContaining(query.split('=')[0]!)]);
  },
);

/** Stores events of a session, as minutes after ten o'clock. */
async function store(session: string, minutes: readonly number[], { type = 'CellChange', tenant = 'default' } = {}) {
  await operations.pipeline.database.query(
    `INSERT INTO events (tenant, event_id, event_type, occurred_at, received_at, actor, session_id, source, payload)
     SELECT $1, gen_random_uuid(), $2, '2026-03-01T10:00Z'::timestamptz + make_interval(mins => minute), now(), 'ada', $3,
            'governance-tracker', '{"machineName":"PC-7","userDomain":"ACME"}'
     FROM unnest($4::int[]) AS minute`,
    [tenant, type, session, minutes],
  );
}
const show = async (session: string) => (await operations.ask('GET', `/api/sessions/${session}`)).body;
const listed = async (session: string) =>
  (await list('user_name=ada&limit=100')).sessions.find((each: { session_id: string }) => each.session_id === session);

it('one is exact to the last commit, the list as of the last fold', async () => {
  await store('s-new', [10, 20]);
  await store('s-new', [50], { tenant: 'acme' });
  const fresh = {
    session_id: 's-new',
    user_name: 'ada',
    state: 'open',
    started_at: '2026-03-01T10:10:00.000000Z',
    last_event_at: '2026-03-01T10:20:00.000000Z',
    ended_at: null,
    event_count: 2,
    machine_name: 'PC-7',
    user_domain: 'ACME',
  };
  expect(await show('s-new')).toMatchObject(fresh);
  expect(await listed('s-new')).toBeUndefined();
  await foldAll(operations.pipeline.database);
  expect(await show('s-new')).toMatchObject(fresh);
  expect(await listed('s-new')).toMatchObject(fresh);

  await store('s-new', [5, 30]);
  await store('s-new', [40], { type: 'SessionEnd' });
  const ended = {
    ...fresh,
    state: 'closed',
    started_at: '2026-03-01T10:05:00.000000Z',
    last_event_at: '2026-03-01T10:40:00.000000Z',
    ended_at: '2026-03-01T10:40:00.000000Z',
    event_count: 5,
  };
  expect(await show('s-new')).toMatchObject(ended);
  expect((await show('s-new')).events).toHaveLength(5);
  expect(await listed('s-new')).toMatchObject(fresh);
  await foldAll(operations.pipeline.database);
  expect(await listed('s-new')).toMatchObject(ended);

  // What comes late leaves it ended; what occurred later opens it again.
  await store('s-new', [39]);
  expect(await show('s-new')).toMatchObject({ ...ended, event_count: 6 });
  await store('s-new', [41]);
  const again = { state: 'open', ended_at: null, event_count: 7, last_event_at: '2026-03-01T10:41:00.000000Z' };
  expect(await show('s-new')).toMatchObject(again);
  await foldAll(operations.pipeline.database);
  expect(await listed('s-new')).toMatchObject(again);
  expect(await show('s-new')).toMatchObject(again);
});

it('the list says how old it is', async () => {
  const { database } = operations.pipeline;
  const age = async () => (await fetch(`${operations.query.url}/api/sessions`)).headers.get('x-data-age');
  await foldAll(database);
  expect(Number(await age())).toBeLessThan(60);
  await database.query("UPDATE rollup_generations SET folded_to = folded_to - interval '1 hour'");
  expect(Number(await age())).toBeGreaterThan(3_599);
  await database.query("UPDATE rollup_generations SET state = 'retired'");
  expect(await age()).toBe('unknown');
  await database.query("UPDATE rollup_generations SET state = 'live'");
});

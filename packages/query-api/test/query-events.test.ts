import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { get as fetchJson, post } from '@sluice/testkit/http';
import { makeEvent, type WireEvent } from '@sluice/testkit/make-event';
import { type Operations, startOperations } from '@sluice/testkit/operations';
import { startTestDaemon } from '@sluice/testkit/test-daemon';

const NO_EVENT = '0b3f6a52-6d0e-4c57-9a38-5f0d7a1c9e11';

let operations: Operations;
beforeAll(async () => {
  operations = await startOperations({ RATE_LIMIT_PER_MINUTE: '0' });
  await operations.pipeline.startWriter('writer-1');
});
afterAll(() => operations.stop());
beforeEach(() => operations.pipeline.database.query('TRUNCATE events, sessions'));

async function store(...events: readonly (WireEvent | string)[]): Promise<void> {
  const body = `{"events":[${events.map((event) => (typeof event === 'string' ? event : JSON.stringify(event))).join(',')}]}`;
  expect((await post(`${operations.pipeline.ingest.url}/api/events`, body)).body).toMatchObject({ rejected: 0 });
  await operations.pipeline.stored(events.length);
}
const ask = (query: unknown) => operations.ask('POST', '/api/events/query', query);
const get = (path: string) => operations.ask('GET', path);
const ids = (events: readonly WireEvent[]) => events.map(({ eventId }) => eventId);
const fractions = (event: WireEvent) => String(event['timestamp']).slice(17, -1).padEnd(9, '0');
const hoursAgo = (hours: number) => new Date(Date.now() - hours * 3_600_000).toISOString();
/** An event's text, with a number that JavaScript can't hold. */
const bigEvent = (big: string, tag: string) =>
  `{"eventType":"A","timestamp":"2026-01-31T09:30:00Z","big":${big},"deep":{"tags":["x","${tag}"]}}`;
const countWith = async (payload: string) => (await ask(`{"payload":${payload}}`)).body.events.length as number;
const cursorOf = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
async function pages(query: object): Promise<unknown[][]> {
  const found: unknown[][] = [];
  let cursor: string | null | undefined;
  while (cursor !== null) {
    const { body } = await ask({ ...query, ...(cursor === undefined ? {} : { cursor }) });
    found.push(ids(body.events));
    cursor = body.next_cursor;
  }
  return found;
}

describe('order', () => {
  it.each(['asc', 'desc'] as const)('equal times and microseconds, across pages: %s', async (order) => {
    const times = ['…00.000001Z', '…00.000002Z', '…00.000002Z', '…00.000002Z', '…00.000003Z', '…00.001Z', '…01Z'];
    const events = times.map((time) => makeEvent({ timestamp: time.replace('…', '2026-01-31T09:30:') }));
    await store(...events);
    const sorted = events.toSorted(
      (a, b) => fractions(a).localeCompare(fractions(b)) || (String(a['eventId']) < String(b['eventId']) ? -1 : 1),
    );
    const expected = ids(order === 'asc' ? sorted : sorted.toReversed());
    for (const limit of [1, 2, 3, 4, 7]) {
      const found = await pages({ order, limit });
      expect(found.flat(), `by ${limit}`).toEqual(expected);
      expect(found).toHaveLength(Math.ceil(7 / limit));
    }
    // The same from several index scans at once.
    expect((await pages({ order, limit: 2, user_names: ['ada', 'bob', 'ada'] })).flat()).toEqual(expected);
  });

  it('an event that is stored between two pages neither moves nor repeats others', async () => {
    const events = [1, 2, 3, 4].map((second) => makeEvent({ timestamp: `2026-01-31T09:30:0${second}Z` }));
    await store(...events);
    const first = (await ask({ limit: 2 })).body;
    await store(makeEvent({ timestamp: '2026-01-31T09:30:09Z' }));
    await operations.pipeline.stored(5);
    const second = (await ask({ limit: 2, cursor: first.next_cursor })).body;
    expect(ids([...first.events, ...second.events])).toEqual(ids(events.toReversed()));
    expect(second.next_cursor).toBeNull();
  });
});

describe('time', () => {
  it('is half open, in any zone, on days when clocks change', async () => {
    // Berlin: 02:00 becomes 03:00 on 29 March 2026, and 03:00 becomes 02:00 on 25 October 2025.
    const events = [
      '2026-03-29T01:59:59.999+01:00',
      '2026-03-29T03:00:00+02:00',
      '2025-10-26T02:30:00+02:00',
      '2025-10-26T02:30:00+01:00',
    ].map((timestamp) => makeEvent({ timestamp }));
    await store(...events);
    const between = async (start_time: string, end_time: string) =>
      ids((await ask({ start_time, end_time, order: 'asc' })).body.events);
    expect(await between('2026-03-29T00:00:00+01:00', '2026-03-29T03:00:00+02:00')).toEqual(ids([events[0]!]));
    expect(await between('2026-03-29T01:00:00Z', '2026-03-30T00:00:00Z')).toEqual(ids([events[1]!]));
    expect(await between('2025-10-26T02:30:00+02:00', '2025-10-26T02:30:00+01:00')).toEqual(ids([events[2]!]));
    expect(await between('2025-10-25T20:30:00.000001-04:00', '2025-10-26T07:00:00+05:30')).toEqual([]);
    const { body } = await get(
      '/api/events/statistics?interval=day&start_time=2025-10-25T00:00:00Z&end_time=2025-10-27T00:00:00Z',
    );
    expect(body.series.map((day: { start: string; total_events: number }) => [day.start, day.total_events])).toEqual([
      ['2025-10-25T00:00:00.000Z', 0],
      ['2025-10-26T00:00:00.000Z', 2],
    ]);
  });

  it('statistics are of the last 24 hours, unless told otherwise', async () => {
    await store(makeEvent({ timestamp: hoursAgo(23) }), makeEvent({ timestamp: hoursAgo(25) }));
    const { body } = await get('/api/events/statistics');
    expect(body).toMatchObject({ total_events: 1, events_by_type: { CellChange: 1 }, unique_users: 1 });
    expect(Date.parse(body.period_end) - Date.parse(body.period_start)).toBe(86_400_000);
    expect((await get(`/api/events/statistics?end_time=${hoursAgo(24)}`)).body.total_events).toBe(1);
    expect((await get(`/api/events/statistics?start_time=${hoursAgo(26)}`)).body.total_events).toBe(2);
    const atTheBeginning = await get('/api/events/statistics?end_time=0001-01-01T00:00:00Z');
    expect(atTheBeginning.body).toMatchObject({ period_start: '0001-01-01T00:00:00.000Z', total_events: 0 });
    const ahead = await get(`/api/events/statistics?start_time=${hoursAgo(-1)}`);
    expect([ahead.status, ahead.body.error.message]).toEqual([
      400,
      expect.stringMatching(/^start_time is in the future/),
    ]);
  });
});

describe('values', () => {
  it.each([
    ['emoji', '🦊🏽'],
    ['composed and not decomposed', 'Zoë'],
    ['right to left', 'مرحبا'],
    ['with spaces at its ends', '  x '],
    ['beyond the index', 'ü'.repeat(400)],
  ])('are found as they were sent: %s', async (_, name) => {
    const event = makeEvent({ userName: name, sessionId: name, workbookName: name, correlationId: name });
    await store(event, makeEvent({ userName: name.normalize('NFD').trim() }));
    for (const filter of [
      { user_names: [name] },
      { session_ids: [name] },
      { workbook_names: [name] },
      { correlation_id: name },
    ]) {
      const { body } = await ask({ ...filter, correlation_id: name });
      expect(body.events).toEqual([event]);
    }
  });

  it('a filter with characters that Postgres cannot store finds what was stored instead', async () => {
    await store(makeEvent({ userName: 'a\u0000b', note: 'x\ud800' }));
    expect((await ask({ user_names: ['a\u0000b'] })).body.events).toHaveLength(1);
    expect((await ask('{"payload":{"note":"x\\ud800"}}')).body.events).toHaveLength(1);
  });

  it('payloads by containment, with all digits', async () => {
    await store(bigEvent('12345678901234567890', 'y'), bigEvent('12345678901234567891', 'z'));
    expect(await countWith('{"big":12345678901234567890}')).toBe(1);
    expect(await countWith('{"big":12345678901234567892}')).toBe(0);
    expect(await countWith('{"deep":{"tags":["z"]}}')).toBe(1);
    expect(await countWith('{"deep":{}}')).toBe(2);
    expect(await countWith('{"deep":null}')).toBe(0);
    const page = await fetch(`${operations.query.url}/api/events/recent`);
    expect(await page.text()).toMatch(/"big":12345678901234567890[,}]/);
  });

  it('nothing is an empty page', async () => {
    await store(makeEvent());
    expect((await ask({ event_types: ['Nothing'], include_total: 'exact' })).body).toEqual({
      events: [],
      next_cursor: null,
      total: 0,
      total_method: 'exact',
    });
    expect((await ask({ start_time: '2026-01-31T09:30:00Z', end_time: '2026-01-31T09:30:00Z' })).body.events).toEqual(
      [],
    );
    expect((await ask({ include_total: 'estimated' })).body).toMatchObject({ total_method: 'estimated' });
    expect((await ask({ include_total: false })).body).not.toHaveProperty('total');
  });
});

describe('names of the systems before', () => {
  it('include_total: true is exact', async () => {
    await store(...[1, 2, 3].map(() => makeEvent()));
    expect((await ask({ include_total: true, limit: 1 })).body).toMatchObject({ total: 3, total_method: 'exact' });
  });

  it('order_by and order_desc', async () => {
    const events = [3, 2, 1].map((hours) => makeEvent({ timestamp: hoursAgo(hours) }));
    await store(...events);
    const sorted = async (query: object) => ids((await ask(query)).body.events);
    expect(await sorted({ order_by: 'timestamp', order_desc: false })).toEqual(ids(events));
    expect(await sorted({ order_by: 'timestamp', order_desc: true })).toEqual(ids(events).toReversed());
    expect(await sorted({ order_by: 'timestamp' })).toEqual(ids(events).toReversed());
    expect(await sorted({ order: 'asc', order_desc: false })).toEqual(ids(events));
  });

  it('correlation_ids, as all filters are plural', async () => {
    const events = ['a', 'b', 'c'].map((correlationId) => makeEvent({ correlationId }));
    await store(...events);
    const found = (await ask({ correlation_ids: ['a', 'c'] })).body.events;
    expect(new Set(ids(found))).toEqual(new Set([events[0]!['eventId'], events[2]!['eventId']]));
    expect(ids((await ask({ correlation_id: 'b' })).body.events)).toEqual([events[1]!['eventId']]);
  });

  it('unique_resources, and unique_workbooks as in 0.1.0', async () => {
    const timestamp = hoursAgo(1);
    await store(makeEvent({ timestamp, workbookName: 'x' }), makeEvent({ timestamp, workbookName: 'y' }));
    expect((await get('/api/events/statistics')).body).toMatchObject({ unique_resources: 2, unique_workbooks: 2 });
  });
});

describe('the newest events', () => {
  it('are by their own time, or by when they were stored', async () => {
    const old = makeEvent({ timestamp: '2025-03-01T00:00:00Z' });
    const recent = makeEvent({ timestamp: hoursAgo(1) });
    await store(recent);
    expect((await post(`${operations.pipeline.ingest.url}/api/events`, { events: [old] })).status).toBe(202);
    await operations.pipeline.stored(2);
    const newest = async (path: string) => ids((await get(path)).body.events);
    const [sentLast, occurredLast] = [
      [old, recent],
      [recent, old],
    ].map((events) => ids(events));
    expect(await newest('/api/events/recent')).toEqual(occurredLast);
    expect(await newest('/api/events/recent?by=stored')).toEqual(sentLast);
    expect(await newest('/events/recent')).toEqual(sentLast);
    expect(await newest('/events/recent?by=occurred')).toEqual(occurredLast);
    expect(await newest('/events/recent?limit=1')).toEqual([old['eventId']]);
    expect((await get('/events/recent?by=age')).body.error.message).toMatch(/by must be one of occurred, stored/);
  });

  it('by when they were stored: also those of long ago', async () => {
    const { database } = operations.pipeline;
    await store(makeEvent());
    await database.query("UPDATE events SET stored_at = stored_at - interval '40 days'");
    expect((await get('/events/recent')).body.events).toHaveLength(1);
    await database.query('TRUNCATE events');
    expect((await get('/events/recent')).body.events).toEqual([]);
  });
});

describe('what is refused, by name', () => {
  it.each([
    [{ colour: 'red' }, /colour/],
    [{ user_name: 'ada' }, /user_name/],
    [{ event_types: [] }, /event_types/],
    [{ event_types: 'A' }, /event_types/],
    [{ user_names: [''] }, /user_names\.0/],
    [{ user_names: [7] }, /user_names\.0/],
    [{ limit: 0 }, /limit/],
    [{ limit: 1001 }, /limit/],
    [{ limit: '5' }, /limit/],
    [{ offset: -1 }, /offset/],
    [{ offset: 10_001 }, /offset/],
    [{ order: 'up' }, /order must be one of asc, desc/],
    [{ start_time: '2026-01-31' }, /start_time/],
    [{ start_time: '2026-02-01T00:00:00Z', end_time: '2026-01-01T00:00:00Z' }, /end_time/],
    [{ payload: {} }, /payload/],
    [{ payload: [1] }, /payload/],
    ['{"payload":{"a":1e400}}', /payload/],
    [`{"payload":{"a":${'['.repeat(5_000)}${']'.repeat(5_000)}}}`, /32 deep/],
    [{ start_time: 'yesterday' }, /start_time must be a time with its zone, such as/],
    [{ include_total: 'yes' }, /include_total/],
    [{ order: 'asc', order_desc: true }, /order is asc, but order_desc is true/],
    [{ order_by: 'userName' }, /order_by must be one of timestamp/],
    [{ correlation_id: 'a', correlation_ids: ['b'] }, /either correlation_id or correlation_ids/],
    [{ cursor: 'x', offset: 1 }, /cursor or offset/],
    [{ cursor: '' }, /cursor/],
  ])('%j', async (query, message) => {
    const { status, body } = await ask(query);
    expect([status, body.error.message]).toEqual([400, expect.stringMatching(message)]);
  });

  it('a cursor that was changed, or is of another list', async () => {
    await store(makeEvent(), makeEvent(), makeEvent());
    const { next_cursor: cursor } = (await ask({ limit: 1, event_types: ['CellChange'] })).body;
    const [version, time, id, sum] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as string[];
    for (const changed of [
      cursorOf([version, time, NO_EVENT, sum]),
      cursorOf([version, String(time).replace('2026', '2025'), id, sum]),
      cursorOf([version, time, "' OR true --", sum]),
      cursorOf([version, time, id, '']),
      cursorOf([version, time, id]),
      cursorOf([time, id, sum]),
      cursorOf({ version, time, id, sum }),
      cursorOf('x'),
      cursor.slice(1),
      '%00',
      'null',
    ]) {
      expect((await ask({ limit: 1, event_types: ['CellChange'], cursor: changed })).status, changed).toBe(400);
    }
    for (const other of [{ event_types: ['Other'] }, { event_types: ['CellChange'], order: 'asc' }, {}]) {
      const { status, body } = await ask({ ...other, limit: 1, cursor });
      expect([status, body.error.message]).toEqual([400, expect.stringMatching(/another filter or order/)]);
    }
    expect((await ask({ limit: 2, event_types: ['CellChange'], cursor })).status).toBe(200);
  });

  it.each([
    ['interval=month', /interval must be one of minute, hour, day, week/],
    ['distinct=no', /distinct/],
    ['interval=minute&start_time=2026-01-01T00:00:00Z', /1500 buckets/],
    ['start_time=yesterday', /start_time/],
    ['x=1', /called x/],
    ['start_time=2026-01-02T00:00:00Z&end_time=2026-01-01T00:00:00Z', /end_time/],
  ])('statistics?%s', async (query, message) => {
    const { status, body } = await get(`/api/events/statistics?${query}`);
    expect([status, body.error.message]).toEqual([400, expect.stringMatching(message)]);
  });
});

describe('one event', () => {
  it('by the id its client gave it, whatever that is', async () => {
    const uuid = makeEvent();
    const named = makeEvent({ eventId: 'order/7 ü' });
    await store(uuid, named);
    expect((await get(`/api/events/${String(uuid['eventId'])}`)).body).toEqual(uuid);
    expect((await get(`/api/events/${String(uuid['eventId']).toUpperCase()}`)).body).toEqual(uuid);
    expect((await get(`/api/events/${encodeURIComponent('order/7 ü')}`)).body).toEqual(named);
    for (const id of [NO_EVENT, 'order', '%00', 'x'.repeat(1_000)]) {
      const { status, body } = await get(`/api/events/${id}`);
      expect([status, body.error.code], id).toEqual([404, 'not_found']);
    }
  });

  it('of web collection comes back as the page sent it', async () => {
    const hit = { eventType: 'click', visitorId: 'v-1', path: '/a', url: 'https://x.test/a', attribution: { utm: 1 } };
    const { body } = await post(`${operations.pipeline.ingest.url}/collect`, hit);
    await operations.pipeline.stored(1);
    for (const path of ['/api/events/recent', '/events/recent?limit=5']) {
      expect((await get(path)).body).toEqual({
        events: [{ ...hit, eventId: body.event_id, timestamp: body.timestamp }],
      });
    }
    expect((await ask({ user_names: ['v-1'], workbook_names: ['/a'] })).body.events).toHaveLength(1);
  });
});

describe('a download', () => {
  it.each([{ limit: 5 }, { offset: 0 }, { include_total: 'exact' }])('has no pages: %j', async (query) => {
    const response = await fetch(`${operations.query.url}/api/events/query`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/x-ndjson' },
      body: JSON.stringify(query),
    });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain(Object.keys(query)[0]);
  });

  it.each(['application/x-ndjson', 'application/json'])(
    'ends in Postgres at once when its client hangs up: %s',
    async (accept) => {
      const { database } = operations.pipeline;
      const holder = await database.connect();
      await holder.query('BEGIN');
      await holder.query('LOCK TABLE events');
      const waiting = async () =>
        (
          await database.query(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'sluice-query' AND wait_event_type = 'Lock' AND datname = current_database()",
          )
        ).length;
      const request = httpRequest(`${operations.query.url}/api/events/query`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept },
      });
      request.on('error', () => {});
      request.end('{}');
      // Its own time-out ends it after 30 s only.
      const patience = { timeout: 180_000, interval: 5 };
      try {
        await vi.waitFor(async () => expect(await waiting()).toBe(1), patience);
        request.destroy();
        await vi.waitFor(async () => expect(await waiting()).toBe(0), patience);
      } finally {
        await holder.query('ROLLBACK');
        await holder.end();
      }
      expect(operations.query.output()).not.toMatch(/a request failed|in the background/);
    },
  );
});

it('a query that takes too long is a 504 that says what to narrow', async () => {
  const { database, namespace } = operations.pipeline;
  const hasty = await startTestDaemon('query-api', {
    DATABASE_URL: database.url,
    REDIS_URL: inject('redisUrl'),
    SLUICE_NAMESPACE: namespace,
    STATEMENT_TIMEOUT_MS: '200',
  });
  const holder = await database.connect();
  await holder.query('BEGIN');
  await holder.query('LOCK TABLE events');
  const [query, download, statistics] = await Promise.all([
    post(`${hasty.url}/api/events/query`, {}),
    post(`${hasty.url}/api/events/query`, {}, { accept: 'application/x-ndjson' }),
    fetchJson(`${hasty.url}/api/events/statistics`),
  ]);
  await holder.query('ROLLBACK');
  await hasty.stop();
  await holder.end();
  for (const answer of [query, download]) {
    expect([answer.status, answer.body.error.code]).toEqual([504, 'query_timeout']);
    expect(answer.body.error.message).toMatch(/start_time.*payload has no index/);
  }
  expect(statistics.body.error.message).toMatch(/shorter range/);
});

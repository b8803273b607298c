import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { foldAll } from '@sluice/testkit/fold-all';
import { type Operations, startOperations } from '@sluice/testkit/operations';
import {
  type Edit,
  needsRealEdits,
  readRealEdits,
  realEditsAreThere,
  storeThroughPipeline,
} from '@sluice/testkit/real-edits';

/** How many are folded into the roll-ups; the rest is read from the events. */
const FOLDED = 8_000;
const COUNT = 10_000;

let operations: Operations;
let edits: Edit[];

beforeAll(async () => {
  if (!realEditsAreThere) return;
  edits = readRealEdits(COUNT);
  operations = await startOperations({ RATE_LIMIT_PER_MINUTE: '0' });
  const { pipeline } = operations;
  await pipeline.startWriter('writer-1');
  await storeThroughPipeline(pipeline, edits.slice(0, FOLDED));
  await foldAll(pipeline.database);
  const [folded] = await pipeline.database.query<{ events: number }>(
    "SELECT coalesce(sum(events), 0)::int AS events FROM rollup_days WHERE dimension = 'event_type'",
  );
  expect(folded!.events).toBe(FOLDED);
  await storeThroughPipeline(pipeline, edits.slice(FOLDED));
});
afterAll(async () => {
  if (!realEditsAreThere) return;
  await operations.stop();
});

/** Newest first; equal times by id, as Postgres orders UUIDs. */
const byTime = (a: Edit, b: Edit): number =>
  b.timestamp < a.timestamp ? -1 : b.timestamp > a.timestamp ? 1 : b.eventId < a.eventId ? -1 : 1;

/** An edit as it comes back: what was null and has a column of its own is left out. */
const wire = (edit: Edit): object =>
  Object.fromEntries(
    Object.entries(edit).filter(
      ([name, value]) => value !== null || !['userName', 'sessionId', 'correlationId', 'workbookName'].includes(name),
    ),
  );

/** All pages of a query, by cursor. */
async function queryAll(query: object, limit = 1_000): Promise<{ events: Edit[]; pages: number }> {
  const events: Edit[] = [];
  let cursor: string | null | undefined;
  let pages = 0;
  while (cursor !== null) {
    const { status, body } = await operations.ask('POST', '/api/events/query', {
      ...query,
      limit,
      ...(cursor === undefined ? {} : { cursor }),
    });
    if (status !== 200) throw new Error(JSON.stringify(body));
    events.push(...body.events);
    cursor = body.next_cursor;
    pages += 1;
  }
  return { events, pages };
}

function matches(edit: Edit, query: Record<string, unknown>): boolean {
  const oneOf = (name: string, value: string) => {
    const wanted = query[name] as string[] | undefined;
    return wanted === undefined || wanted.includes(value);
  };
  return (
    oneOf('event_types', edit.eventType) &&
    oneOf('user_names', edit.userName) &&
    oneOf('session_ids', edit.sessionId) &&
    oneOf('workbook_names', edit.workbookName) &&
    (query['correlation_id'] === undefined || query['correlation_id'] === edit.correlationId) &&
    (query['start_time'] === undefined || Date.parse(edit.timestamp) >= Date.parse(query['start_time'] as string)) &&
    (query['end_time'] === undefined || Date.parse(edit.timestamp) < Date.parse(query['end_time'] as string)) &&
    Object.entries((query['payload'] as object | undefined) ?? {}).every(([name, value]) => edit[name] === value)
  );
}

/** Filters made of what some edits say, alone and combined. */
const filters = (): Record<string, unknown>[] => {
  const [a, b, c] = [edits[17]!, edits[4_000]!, edits[7_777]!];
  const unicode = edits.find(({ workbookName }) => /[\u0400-\u9fff]/.test(workbookName))!;
  return [
    {},
    { event_types: [a.eventType] },
    { event_types: ['BotEdit', 'PageEdit', 'NoSuchType'] },
    { user_names: [b.userName] },
    { user_names: [a.userName, b.userName, c.userName, c.userName, 'nobody'] },
    { session_ids: [c.sessionId] },
    { session_ids: [a.sessionId, b.sessionId] },
    { workbook_names: [unicode.workbookName] },
    { workbook_names: [a.workbookName, b.workbookName, unicode.workbookName] },
    { correlation_id: '#fr.wikipedia' },
    { start_time: a.timestamp },
    { end_time: '2015-09-12T05:30:00+02:00' },
    { start_time: '2015-09-12T04:00:00Z', end_time: '2015-09-12T01:00:00-05:00' },
    { payload: { isMinor: true } },
    { payload: { cityName: null, isMinor: false }, event_types: ['BotEdit'] },
    { event_types: ['PageEdit'], user_names: [a.userName, b.userName], start_time: '2015-09-12T02:00:00Z' },
    { session_ids: [a.sessionId], user_names: [b.userName] },
    {
      correlation_id: a.correlationId,
      event_types: [a.eventType],
      workbook_names: edits.slice(0, 60).map((e) => e.workbookName),
    },
    { user_names: edits.slice(100, 140).map((each) => each.userName), payload: { isMinor: true } },
  ];
};

/** Users, the busiest first. */
function mostActive(): string[] {
  return [...Map.groupBy(edits, ({ userName }) => userName)]
    .toSorted((a, b) => b[1].length - a[1].length)
    .map(([user]) => user);
}

describe.skipIf(!realEditsAreThere)('real edits', needsRealEdits, () => {
  it('statistics count what is folded and what is not, in every kind of range', async () => {
    for (const [start, end] of [
      ['2015-09-01T00:00:00Z', '2015-10-01T00:00:00Z'],
      ['2015-09-12T02:20:30.123Z', '2015-09-13T03:44:15.678Z'],
      ['2015-09-11T01:40:30.123Z', '2015-09-12T04:14:15.678Z'],
      ['2015-09-12T02:05:30Z', '2015-09-12T05:55:00Z'],
      ['2015-09-12T02:20:30Z', '2015-09-12T02:25:00Z'],
      ['2015-09-12T05:00:00+03:30', '2015-09-12T10:00:00+03:30'],
      ['2015-09-12T03:00:00Z', '2015-09-12T04:00:00Z'],
      ['2015-09-10T05:00:00Z', '2015-09-10T05:00:00Z'],
      ['2016-09-10T05:00:00Z', '2016-09-11T05:00:00Z'],
    ] as const) {
      const { body } = await operations.ask(
        'GET',
        `/api/events/statistics?${new URLSearchParams({ start_time: start, end_time: end }).toString()}`,
      );
      const inside = edits.filter((edit) => matches(edit, { start_time: start, end_time: end }));
      expect(body, `${start} to ${end}`).toEqual({
        period_start: new Date(start).toISOString(),
        period_end: new Date(end).toISOString(),
        ...counted(inside),
        distinct: 'exact',
        distinct_error: 0,
      });
    }
  });

  it('a series tells of every bucket, and sums up', async () => {
    for (const [interval, length, start, end] of [
      ['day', 86_400_000, '2015-09-07T07:00:00Z', '2015-09-12T03:10:00Z'],
      ['hour', 3_600_000, '2015-09-11T01:15:00Z', '2015-09-12T06:50:00Z'],
      ['minute', 60_000, '2015-09-12T01:00:30Z', '2015-09-12T03:00:00Z'],
      ['week', 604_800_000, '2015-08-20T07:00:00Z', '2015-09-23T03:10:00Z'],
    ] as const) {
      const { body } = await operations.ask(
        'GET',
        `/api/events/statistics?interval=${interval}&start_time=${start}&end_time=${end}`,
      );
      const inside = edits.filter((edit) => matches(edit, { start_time: start, end_time: end }));
      const monday = interval === 'week' ? Date.parse('1970-01-05') : 0;
      const first = monday + Math.floor((Date.parse(start) - monday) / length) * length;
      const expected = [];
      for (let at = first; at < Date.parse(end); at += length) {
        const ofBucket = inside.filter(
          ({ timestamp }) => Date.parse(timestamp) >= at && Date.parse(timestamp) < at + length,
        );
        expected.push({ start: new Date(at).toISOString(), ...counted(ofBucket) });
      }
      expect(body.series, interval).toEqual(expected);
      expect(body).toMatchObject({ interval, ...counted(inside) });
    }
  });

  it('approximate numbers of different values are within five standard errors, and say so', async () => {
    const { body } = await operations.ask(
      'GET',
      '/api/events/statistics?start_time=2000-01-01T00:00:00Z&distinct=approximate',
    );
    const exact = counted(edits);
    expect(body).toMatchObject({
      distinct: 'approximate',
      distinct_error: 0.016,
      total_events: COUNT,
      events_by_type: exact.events_by_type,
    });
    for (const name of ['unique_users', 'unique_sessions', 'unique_resources', 'unique_workbooks'] as const) {
      expect(Math.abs(body[name] - exact[name]) / exact[name], name).toBeLessThan(5 * 0.016);
    }
  });

  it('every filter finds what a walk over the file finds, in order, at every page size', async () => {
    for (const query of filters()) {
      const expected = edits
        .filter((edit) => matches(edit, query))
        .toSorted(byTime)
        .map(wire);
      const { events } = await queryAll(query);
      expect(events, JSON.stringify(query)).toEqual(expected);
      if (expected.length > 300) continue;
      for (const limit of [1, 7, Math.max(1, expected.length), expected.length + 1].slice(
        expected.length > 100 ? 1 : 0,
      )) {
        const paged = await queryAll(query, limit);
        expect(paged.events, `${JSON.stringify(query)} by ${limit}`).toEqual(expected);
        expect(paged.pages).toBe(Math.max(1, Math.ceil(expected.length / limit)));
      }
    }
  });

  it('ascending is the same the other way round, offset skips, and the total is right', async () => {
    const [user] = mostActive();
    const expected = edits
      .filter(({ userName }) => userName === user)
      .toSorted(byTime)
      .map(wire);
    const { events } = await queryAll({ user_names: [user], order: 'asc' }, 250);
    expect(events).toEqual(expected.toReversed());
    const { body } = await operations.ask('POST', '/api/events/query', {
      user_names: [user, 'nobody'],
      offset: 5,
      limit: 300,
      include_total: 'exact',
    });
    expect(body.events).toEqual(expected.slice(5, 305));
    expect(body).toMatchObject({ total: expected.length, total_method: 'exact' });
  });

  it('a download has all of them, one a line', async () => {
    const response = await fetch(`${operations.query.url}/api/events/query`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/x-ndjson' },
      body: JSON.stringify({ correlation_id: '#en.wikipedia' }),
    });
    expect(response.headers.get('content-type')).toBe('application/x-ndjson; charset=utf-8');
    const lines = (await response.text()).trimEnd().split('\n');
    const expected = edits
      .filter(({ correlationId }) => correlationId === '#en.wikipedia')
      .toSorted(byTime)
      .map(wire);
    expect(expected.length).toBeGreaterThan(1_000);
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(expected);
  });

  it('sessions, one by one and as a list', async () => {
    const bySession = Map.groupBy(edits, ({ sessionId }) => sessionId);
    const [id, ofSession] = [...bySession].toSorted((a, b) => b[1].length - a[1].length)[0]!;
    const { body } = await operations.ask('GET', `/api/sessions/${encodeURIComponent(id)}?limit=1000`);
    const inOrder = ofSession.toSorted(byTime).toReversed();
    expect(body).toMatchObject({ session_id: id, state: 'open', event_count: ofSession.length, ended_at: null });
    expect(new Date(body.started_at)).toEqual(new Date(inOrder[0]!.timestamp));
    expect(new Date(body.last_event_at)).toEqual(new Date(inOrder.at(-1)!.timestamp));
    expect(body.events).toEqual(inOrder.slice(0, 1_000).map(wire));

    await foldAll(operations.pipeline.database);
    const starts = [...bySession].map(([session, all]) => ({
      session,
      start: all.map((e) => e.timestamp).toSorted()[0]!,
    }));
    const since = '2015-09-12T03:00:00.000Z';
    const expected = starts.filter(({ start }) => start >= since).map(({ session }) => session);
    const found: string[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const page: { sessions: { session_id: string }[]; next_cursor: string | null } = (
        await operations.ask('GET', `/api/sessions?start_time=${since}&limit=700${cursor && `&cursor=${cursor}`}`)
      ).body;
      found.push(...page.sessions.map((each) => each.session_id));
      cursor = page.next_cursor;
    }
    expect(found).toHaveLength(expected.length);
    expect(new Set(found)).toEqual(new Set(expected));
  });
});

/** Statistics, by plain counting. */
function counted(some: readonly Edit[]) {
  const types = Map.groupBy(some, ({ eventType }) => eventType);
  return {
    total_events: some.length,
    events_by_type: Object.fromEntries([...types].map(([type, all]) => [type, all.length])),
    unique_users: new Set(some.map(({ userName }) => userName)).size,
    unique_sessions: new Set(some.map(({ sessionId }) => sessionId)).size,
    unique_resources: new Set(some.map(({ workbookName }) => workbookName)).size,
    unique_workbooks: new Set(some.map(({ workbookName }) => workbookName)).size,
  };
}

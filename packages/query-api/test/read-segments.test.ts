import { sql, type SqlBool } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Database, openDatabase } from '@sluice/store/database';
import { type Random, seededRandom } from '@sluice/testkit/random';
import { countEvents } from '../src/events/count-events.ts';
import { downloadEvents } from '../src/events/download-events.ts';
import type { EventFilter } from '../src/events/event-filter.ts';
import { readNewestStored } from '../src/events/newest-stored.ts';
import { findEvent, readEventPage, type Reading } from '../src/events/rows.ts';
import type { Order, Place } from '../src/http/paging.ts';
import { readCommitted } from '../src/tail/committed-events.ts';
import { type MixedSegments, mixSegments, type ModelEvent } from './fixtures/mixed-segments.ts';

const SEED = 14;
const reading: Reading = {
  gone: { signal: new AbortController().signal, inflightQueryAbortStrategy: 'cancel query' },
  held: { require: () => {} } as unknown as Reading['held'],
};

let mixed: MixedSegments;
let random: Random;
beforeAll(async () => {
  random = seededRandom(SEED);
  mixed = await mixSegments(random);
});
afterAll(() => mixed.drop());

const COLUMNS = {
  eventTypes: 'event_type',
  actors: 'actor',
  sessionIds: 'session_id',
  resources: 'resource',
  correlationIds: 'correlation_id',
} as const;
const FIELDS = Object.keys(COLUMNS) as (keyof typeof COLUMNS)[];

/** A value that some event has, or none. */
const anyValue = (field: keyof typeof COLUMNS): string =>
  random.int(6) === 0 ? 'nobody' : (random.pick(mixed.events)[COLUMNS[field]] ?? 'nobody');

function randomFilter(): EventFilter {
  const fields = FIELDS.filter(() => random.int(4) === 0);
  const values = Object.fromEntries(
    fields.map((field) => [field, Array.from({ length: random.pick([1, 1, 1, 2, 5, 20]) }, () => anyValue(field))]),
  );
  const [one, other] = [random.pick(mixed.events).occurred_at, random.pick(mixed.events).occurred_at].toSorted();
  return {
    tenant: random.pick(['default', 'acme', 'nobody', 'default']),
    ...values,
    ...(random.int(4) === 0 ? { start: one } : {}),
    ...(random.int(4) === 0 ? { end: other } : {}),
    ...(random.int(10) === 0 ? { payload: '{"machineName":"PC-7"}' } : {}),
  };
}

/** The plain model: every event is looked at. */
function matching(filter: EventFilter): ModelEvent[] {
  return mixed.events.filter(
    (event) =>
      event.tenant === filter.tenant &&
      FIELDS.every((field) => filter[field] === undefined || filter[field].includes(event[COLUMNS[field]] ?? '')) &&
      (filter.start === undefined || event.occurred_at >= filter.start) &&
      (filter.end === undefined || event.occurred_at < filter.end) &&
      (filter.payload === undefined || event.event_id.endsWith('7')),
  );
}

function sorted(events: readonly ModelEvent[], order: Order): string[] {
  const ids = events.toSorted((a, b) =>
    a.occurred_at === b.occurred_at ? (a.event_id < b.event_id ? -1 : 1) : a.occurred_at < b.occurred_at ? -1 : 1,
  );
  return (order === 'asc' ? ids : ids.toReversed()).map(({ event_id: id }) => id);
}

const idsOf = (texts: readonly string[]) => texts.map((text) => (JSON.parse(text) as { eventId: string }).eventId);

/** All pages, with something happening after each. */
async function allPages(
  database: Database,
  filter: EventFilter,
  { order, limit, between }: { order: Order; limit: number; between?: () => Promise<unknown> },
): Promise<string[]> {
  const ids: string[] = [];
  for (let after: Place | undefined; ;) {
    const { events, end } = await readEventPage(database, { filter, order, after }, { limit }, reading);
    ids.push(...idsOf(events));
    if (end === null) return ids;
    after = end;
    await between?.();
  }
}

describe('events in weekly partitions and in sealed, closed and hot segments', () => {
  it('come in pages of any size, in both orders, as the plain model has them', async () => {
    for (let round = 0; round < 60; round += 1) {
      const filter = randomFilter();
      const expected = matching(filter);
      for (const order of ['asc', 'desc'] as const) {
        const limit = random.pick([1, 2, 3, 7, 25, 100, 1_000].slice(expected.length > 60 ? 2 : 0));
        const found = await allPages(mixed.opened, filter, { order, limit });
        expect(found, `${order} by ${limit}: ${JSON.stringify(filter)}`).toEqual(sorted(expected, order));
      }
      expect(await countEvents(mixed.opened, filter, 'exact', reading.gone), JSON.stringify(filter)).toBe(
        expected.length,
      );
    }
  });

  it('can be skipped by an offset', async () => {
    for (let round = 0; round < 25; round += 1) {
      const filter = randomFilter();
      const order = random.pick(['asc', 'desc'] as const);
      const expected = sorted(matching(filter), order);
      const [offset, limit] = [random.int(expected.length + 5), random.pick([1, 5, 50])];
      const { events, end } = await readEventPage(mixed.opened, { filter, order }, { limit, offset }, reading);
      expect(idsOf(events), JSON.stringify({ filter, order, offset, limit })).toEqual(
        expected.slice(offset, offset + limit),
      );
      expect(end === null).toBe(offset + limit >= expected.length);
    }
  });

  it('come as a download', async () => {
    for (const filter of [{ tenant: 'default' }, { tenant: 'acme', eventTypes: ['type-1', 'type-2'] }]) {
      let text = '';
      for await (const piece of downloadEvents(mixed.opened, { filter, order: 'desc' }, reading.gone, () => false))
        text += piece;
      expect(idsOf(text.trim().split('\n'))).toEqual(sorted(matching(filter), 'desc'));
    }
  });

  it('are found by their ids', async () => {
    for (const event of mixed.events) {
      const found = await findEvent(mixed.opened, event.tenant, event.event_id, reading.gone);
      expect(found).toMatchObject({ event_id: event.event_id, occurred_at: event.occurred_at, actor: event.actor });
    }
    await expect(findEvent(mixed.opened, 'nobody', mixed.events[0]!.event_id, reading.gone)).rejects.toThrow(
      /no event/,
    );
  });

  it('come in the order of storing', async () => {
    for (const limit of [1, 10, 100, 1_000]) {
      const newest = mixed.events
        .filter(({ tenant }) => tenant === 'acme')
        .map((event) => [event.stored_at, event.occurred_at, event.event_id] as const)
        .toSorted((a, b) => (a.join() < b.join() ? 1 : -1));
      const { events } = await readNewestStored(mixed.opened, 'acme', limit, reading);
      expect(idsOf(events)).toEqual(newest.slice(0, limit).map(([, , id]) => id));
    }
  });
});

describe('while the layout moves on', () => {
  it('between two pages, none is lost and none comes twice', async () => {
    const seen = new Set<string>();
    for (let round = 0; round < 12; round += 1) {
      const filter = randomFilter();
      const expected = new Set(matching(filter).map(({ event_id: id }) => id));
      const order = random.pick(['asc', 'desc'] as const);
      const found = await allPages(mixed.opened, filter, {
        order,
        limit: Math.max(2, Math.ceil(expected.size / 5)),
        async between() {
          seen.add(await mixed.change());
          // These may be in a later page, or not.
          await mixed.store(3);
        },
      });
      expect(new Set(found).size, 'doubled').toBe(found.length);
      const old = found.filter((id) => expected.has(id));
      expect(old, `${order}: ${JSON.stringify(filter)}`).toEqual(
        sorted(
          mixed.events.filter(({ event_id: id }) => expected.has(id)),
          order,
        ),
      );
    }
    expect(seen).toEqual(new Set(['rotate', 'seal', 'merge']));
  });

  it('between the list of segments and each read, too', async () => {
    // Reads have a connection of their own, which the list has not.
    const moving: Database = {
      ...mixed.opened,
      async withClient(work) {
        await mixed.change();
        return mixed.opened.withClient(work);
      },
    };
    for (let round = 0; round < 6; round += 1) {
      const filter = { tenant: 'default', ...(round % 2 === 0 ? {} : { actors: [anyValue('actors')] }) };
      const order = random.pick(['asc', 'desc'] as const);
      expect(await allPages(moving, filter, { order, limit: 100 })).toEqual(sorted(matching(filter), order));
      expect(await countEvents(moving, filter, 'exact', reading.gone)).toBe(matching(filter).length);
      const event = random.pick(mixed.events);
      expect(await findEvent(moving, event.tenant, event.event_id, reading.gone)).toMatchObject({ actor: event.actor });
    }
  });

  it('a segment that retention drops meanwhile is empty', async () => {
    const [oldest] = (await mixed.database.query<{ relation: string; segment_to: number }>(
      "SELECT relation, segment_to FROM segments WHERE segment_from > 0 AND state = 'sealed' AND rows > 0 ORDER BY segment_from LIMIT 1",
    )) as [{ relation: string; segment_to: number }];
    const gone = new Set(
      (await mixed.database.query<{ event_id: string }>(`SELECT event_id FROM ${oldest.relation}`)).map(
        ({ event_id: id }) => id,
      ),
    );
    let dropped = false;
    const dropping: Database = {
      ...mixed.opened,
      async withClient(work) {
        if (!dropped) await mixed.database.query(`DROP TABLE ${oldest.relation}`);
        dropped = true;
        return mixed.opened.withClient(work);
      },
    };
    const filter = { tenant: 'default' };
    const left = matching(filter).filter(({ event_id: id }) => !gone.has(id));
    expect(left.length).toBeLessThan(matching(filter).length);
    expect(await allPages(dropping, filter, { order: 'desc', limit: 1_000 })).toEqual(sorted(left, 'desc'));
    await mixed.database.query('DELETE FROM segments WHERE relation = $1', [oldest.relation]);
    mixed.events.splice(0, mixed.events.length, ...mixed.events.filter(({ event_id: id }) => !gone.has(id)));
  });
});

it('reads leave nothing on their connection, so that a pool between may give it to anybody', async () => {
  const { database } = mixed;
  const one = openDatabase({ url: database.url, poolSize: 1, statementTimeoutMs: 60_000, applicationName: 'test' });
  const stateOf = async () =>
    (
      await sql`
        SELECT (SELECT jsonb_object_agg(name, setting) FROM pg_settings) AS settings,
               (SELECT count(*) FROM pg_prepared_statements) AS statements, (SELECT count(*) FROM pg_cursors) AS cursors,
               (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()) AS locks`.execute(
        one.db,
      )
    ).rows;
  const before = await stateOf();
  const filter = { tenant: 'default', actors: ['actor-1'] };
  await allPages(one, filter, { order: 'desc', limit: 10 });
  await countEvents(one, filter, 'exact', reading.gone);
  await countEvents(one, filter, 'estimated', reading.gone);
  await readNewestStored(one, 'acme', 10, reading);
  await findEvent(one, mixed.events[0]!.tenant, mixed.events[0]!.event_id, reading.gone);
  const window = { after: { tx: 0n, eventId: null }, before: 1n << 60n, storedSince: '1970-01-01T00:00:00.000Z' };
  await readCommitted(one, { ...window, condition: sql<SqlBool>`true` });
  expect(await stateOf()).toEqual(before);
  await one.close();
});

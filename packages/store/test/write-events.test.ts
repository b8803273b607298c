import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { CanonicalEvent } from '@sluice/events/canonical-event';
import { foldAll } from '@sluice/testkit/fold-all';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import { openDatabase, type Database } from '../src/database.ts';
import { writeEvents } from '../src/write/write-events.ts';

let database: TestDatabase;
let opened: Database;

beforeAll(async () => {
  database = await createTestDatabase();
  opened = openDatabase({ url: database.url, poolSize: 8, statementTimeoutMs: 30_000, applicationName: 'test' });
});
afterAll(async () => {
  await opened.close();
  await database.drop();
});
beforeEach(async () => {
  await database.query('TRUNCATE events, sessions, rollup_generations');
});

const write = (events: readonly CanonicalEvent[], by = opened) =>
  writeEvents(by, [
    {
      key: 'shard',
      id: '1-0',
      fields: [],
      bytes: 0,
      replayOf: null,
      traceparent: null,
      receivedAt: null,
      decoding: { from: 0, to: 0 },
      unreadable: null,
      events,
      accepted: events.length,
    },
  ]);

function canonical(properties: Partial<CanonicalEvent> = {}): CanonicalEvent {
  return {
    tenant: 'default',
    eventId: randomUUID(),
    eventType: 'CellChange',
    occurredAt: '2026-01-31T09:30:00.123456Z',
    receivedAt: '2026-01-31T09:30:01.000Z',
    actor: 'ada',
    sessionId: 's-1',
    correlationId: null,
    resource: 'Budget.xlsx',
    clientIp: '203.0.113.7',
    traceId: null,
    source: 'governance-tracker',
    flags: null,
    payload: '{"cellAddress":"B7"}',
    ...properties,
  };
}

describe('one transaction', () => {
  it('stores every column as it was given', async () => {
    const event = canonical({
      flags: ['characters_replaced'],
      payload: '{"n":12345678901234567890,"s":"naïve “x”, {}\\\\"}',
    });
    expect(await write([event])).toEqual({ stored: 1, duplicates: 0, dead: 0, letters: [] });
    const [row] = await database.query(
      `SELECT tenant, event_id, event_type, to_char(occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS occurred_at,
              actor, session_id, correlation_id, resource, host(client_ip) AS client_ip, trace_id, source, flags, payload::text,
              segment = (SELECT segment_from FROM segments WHERE state = 'hot') AS is_hot, tx IS NOT NULL AS has_tx
       FROM events`,
    );
    expect(row).toEqual({
      tenant: 'default',
      event_id: event.eventId,
      event_type: 'CellChange',
      occurred_at: '2026-01-31T09:30:00.123456Z',
      actor: 'ada',
      session_id: 's-1',
      correlation_id: null,
      resource: 'Budget.xlsx',
      client_ip: '203.0.113.7',
      trace_id: null,
      source: 'governance-tracker',
      flags: ['characters_replaced'],
      payload: '{"n": 12345678901234567890, "s": "naïve “x”, {}\\\\"}',
      is_hot: true,
      has_tx: true,
    });
  });

  it('stores an id once, whatever else differs, within a batch and over batches', async () => {
    const event = canonical();
    const first = await write([event, { ...event, occurredAt: '2020-01-01T00:00:00.000Z', payload: '{}' }]);
    const second = await write([{ ...event, occurredAt: '2021-01-01T00:00:00.000Z' }, canonical()]);
    expect([first, second]).toEqual([
      { stored: 1, duplicates: 1, dead: 0, letters: [] },
      { stored: 1, duplicates: 1, dead: 0, letters: [] },
    ]);
    expect(await database.query('SELECT event_id FROM events WHERE event_id = $1', [event.eventId])).toHaveLength(1);
  });

  it('stores each event with where it came from, however the entries of a transaction are mixed', async () => {
    const origins: Partial<CanonicalEvent>[] = [
      { tenant: 'a', clientIp: '203.0.113.7', traceId: 'a'.repeat(32) },
      { tenant: 'b', clientIp: '203.0.113.7', traceId: 'a'.repeat(32) },
      { tenant: 'b', clientIp: null, traceId: null },
      { tenant: 'b', clientIp: null, traceId: null, receivedAt: '2026-01-31T09:30:02.000Z' },
      { tenant: 'b', clientIp: null, traceId: null, source: 'web-collection' },
    ];
    const events = Array.from({ length: 40 }, (_, index) =>
      canonical({ ...origins[(index * 7) % origins.length], payload: `{"index":${index}}` }),
    );
    await write(events);
    const rows = await database.query(
      'SELECT event_id, tenant, host(client_ip) AS client_ip, trace_id, source, received_at, payload FROM events',
    );
    const byId = new Map(rows.map((row) => [row['event_id'], row]));
    for (const event of events) {
      expect(byId.get(event.eventId)).toEqual({
        event_id: event.eventId,
        tenant: event.tenant,
        client_ip: event.clientIp,
        trace_id: event.traceId,
        source: event.source,
        received_at: new Date(event.receivedAt),
        payload: JSON.parse(event.payload),
      });
    }
  });

  it('is one statement, parsed and planned once for each connection', async () => {
    const one = openDatabase({
      url: database.url,
      poolSize: 1,
      statementTimeoutMs: 30_000,
      applicationName: 'test',
    });
    try {
      for (let time = 0; time < 3; time += 1) await write([canonical()], one);
      const { rows } = await sql<{ name: string; runs: string }>`
        SELECT name, generic_plans + custom_plans AS runs FROM pg_prepared_statements`.execute(one.db);
      expect(rows).toEqual([{ name: 'store-events-1', runs: '3' }]);
    } finally {
      await one.close();
    }
  });

  it('keeps the same id of two tenants apart', async () => {
    const event = canonical();
    expect(await write([event, { ...event, tenant: 'acme' }])).toEqual({
      stored: 2,
      duplicates: 0,
      dead: 0,
      letters: [],
    });
  });

  it('stores nothing when one event cannot be stored', async () => {
    await expect(write([canonical(), canonical({ payload: '{"s":"\\u0000"}' })])).rejects.toThrow(
      /unsupported Unicode/,
    );
    expect(await database.query('SELECT 1 FROM events')).toHaveLength(0);
  });
});

it('the prepared statement outlives what migrations and retention do to the tables', async () => {
  const single = openDatabase({
    url: database.url,
    poolSize: 1,
    statementTimeoutMs: 30_000,
    applicationName: 'test',
  });
  const plans = async () =>
    (
      await sql<{ generic: string }>`
        SELECT generic_plans AS generic FROM pg_prepared_statements WHERE name = 'store-events-1'`.execute(single.db)
    ).rows;
  await database.query('CREATE TABLE events_gone PARTITION OF events FOR VALUES FROM (900) TO (901)');
  // After five plans of its own Postgres may keep one for all values.
  for (let time = 0; time < 7; time += 1) await write([canonical()], single);
  expect(await plans()).toHaveLength(1);
  for (const change of [
    'ALTER TABLE events DETACH PARTITION events_gone CONCURRENTLY',
    'DROP TABLE events_gone',
    'ALTER TABLE events ADD COLUMN later int',
    'ALTER TABLE sessions ADD COLUMN later int',
    'CREATE INDEX later ON events (later)',
    'ALTER TABLE events DROP COLUMN later',
    'ALTER TABLE sessions DROP COLUMN later',
  ]) {
    await database.query(change);
    expect(await write([canonical()], single), change).toMatchObject({ stored: 1 });
  }
  expect(await plans()).toHaveLength(1);
  await single.close();
});

describe('sessions', () => {
  it('are counted from new events only', async () => {
    const events = ['09:00', '11:00', '10:00'].map((time) => canonical({ occurredAt: `2026-01-31T${time}:00.000Z` }));
    await write(events);
    await write([...events, canonical({ occurredAt: '2026-01-31T08:00:00.000Z' })]);
    await foldAll(database);
    const [session] = await database.query(
      `SELECT event_count, actor, ended_at, started_at AT TIME ZONE 'UTC' = '2026-01-31 08:00' AS starts_early,
              last_event_at AT TIME ZONE 'UTC' = '2026-01-31 11:00' AS ends_late FROM sessions`,
    );
    expect(session).toEqual({ event_count: '4', actor: 'ada', ended_at: null, starts_early: true, ends_late: true });
  });

  it('are not made of events without one, and reopen when an event arrives', async () => {
    await write([canonical({ sessionId: null })]);
    await foldAll(database);
    expect(await database.query('SELECT 1 FROM sessions')).toHaveLength(0);
    await write([canonical()]);
    await foldAll(database);
    await database.query('UPDATE sessions SET ended_at = now()');
    await write([canonical()]);
    await foldAll(database);
    expect(await database.query('SELECT event_count, ended_at FROM sessions')).toEqual([
      { event_count: '2', ended_at: null },
    ]);
  });
});

it('does not deadlock when many batches hold the same new ids and sessions in different orders', async () => {
  for (let round = 0; round < 8; round += 1) {
    const events = Array.from({ length: 500 }, (_, at) => canonical({ sessionId: `s-${at % 40}` }));
    const batches = Array.from({ length: 8 }, () => events.toSorted(() => Math.random() - 0.5));
    const results = await Promise.all(batches.map((batch) => write(batch)));
    expect(results.reduce((sum, each) => sum + each.stored, 0)).toBe(500);
  }
  await foldAll(database);
  const counted = await database.query('SELECT sum(event_count)::int AS counted FROM sessions');
  expect(counted).toEqual([{ counted: 8 * 500 }]);
});

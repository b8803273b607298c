import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { CanonicalEvent } from '@sluice/events/canonical-event';
import { openDatabase, type Database } from '@sluice/store/database';
import { inTransaction } from '@sluice/store/transaction';
import { enterSegment } from '@sluice/store/write/enter-segment';
import { insertEvents } from '@sluice/store/write/event-statements';
import { foldAll } from '@sluice/testkit/fold-all';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import { closeSessions } from '../src/jobs/close-sessions.ts';
import { foldLiveOnce } from './fixtures/rolled-up.ts';

const DAY_SECONDS = 86_400;
let database: TestDatabase;
let opened: Database;
beforeAll(async () => {
  database = await createTestDatabase();
  opened = openDatabase({
    url: database.url,
    poolSize: 10,
    // A statement that waits for a writer after all fails with this, and not with the test's own limit.
    statementTimeoutMs: 3_000,
    applicationName: 'sessions-test',
  });
});
afterAll(async () => {
  await opened.close();
  await database.drop();
});
beforeEach(async () => {
  await database.query('TRUNCATE events, sessions, rollup_generations');
  await foldedBefore('0 s');
});

/** Everything stored so long ago is folded. */
const foldedBefore = (age: string) =>
  database.query(
    `INSERT INTO rollup_generations (generation, state, system_identifier, tx, floor, folded_at)
     SELECT 1, 'live', system_identifier::text, '0', now() - $1::interval, now() FROM pg_control_system()
     ON CONFLICT (generation) DO UPDATE SET floor = excluded.floor`,
    [age],
  );

const run = (signal = new AbortController().signal) => ({ signal, progress: () => {} });
const close = (idleSeconds: number, signal?: AbortSignal) => closeSessions(opened.db, idleSeconds, run(signal));

let nextId = 0;
function eventOf(sessionId: string, tenant = 'default'): CanonicalEvent {
  nextId += 1;
  return {
    tenant,
    eventId: `00000000-0000-4000-8000-${String(nextId).padStart(12, '0')}`,
    eventType: 'CellChange',
    occurredAt: '2026-01-31T09:30:00.000Z',
    receivedAt: '2026-01-31T09:30:00.000Z',
    actor: 'ada',
    sessionId,
    correlationId: null,
    resource: null,
    clientIp: null,
    traceId: null,
    source: 'governance-tracker',
    flags: null,
    payload: '{}',
  };
}
const write = (events: readonly CanonicalEvent[]) =>
  inTransaction(opened, async (db) => insertEvents(events, await enterSegment(db)).execute(db));

/** `count` sessions of a tenant, last seen so long ago. */
const seed = (count: number, age: string, tenant = 'default', ended = false) =>
  database.query(
    `INSERT INTO sessions (tenant, session_id, started_at, last_event_at, last_seen_at, event_count, ended_at)
     SELECT $2, 's' || lpad(n::text, 6, '0') || $3, now(), now(), at, 1, CASE WHEN $4 THEN at END
     FROM generate_series(1, $1) n, (SELECT now() - $3::interval AS at) a`,
    [count, tenant, age, ended],
  );

/** Every open session has been idle for so long: the fold's floor is a minute old. */
const SOON = -3_600;

const look = () => database.query('SELECT ended_at IS NULL AS open, event_count FROM sessions');

describe('closing', () => {
  it('ends sessions that were idle for long enough, as of when they were last seen, and no others', async () => {
    await seed(3, '25 hours');
    await seed(2, '23 hours');
    await seed(1, '25 hours', 'acme');
    await seed(1, '48 hours', 'acme', true);
    expect(await close(DAY_SECONDS)).toEqual({ rows: 4 });
    expect(await close(DAY_SECONDS)).toEqual({ rows: 0 });
    const [row] = await database.query(`
      SELECT count(*) FILTER (WHERE ended_at = last_seen_at)::int AS ended,
             count(*) FILTER (WHERE ended_at IS NULL)::int AS open FROM sessions`);
    expect(row).toEqual({ ended: 5, open: 2 });
  });

  it('checks any number in batches, wherever the idle ones are', async () => {
    await seed(2_600, '25 hours', 'a');
    await seed(1_500, '1 hour', 'b');
    await seed(400, '25 hours', 'c');
    expect(await close(DAY_SECONDS)).toEqual({ rows: 3_000 });
  });

  it('ends between two batches when it is aborted', async () => {
    await seed(2_500, '25 hours');
    expect(await close(DAY_SECONDS, AbortSignal.abort())).toEqual({ rows: 1_000 });
  });

  it('an event that arrives afterwards opens the session again, and its counter continues', async () => {
    await write([eventOf('back'), eventOf('back')]);
    await foldAll(database);
    await close(SOON);
    expect(await look()).toEqual([{ open: false, event_count: '2' }]);
    await write([eventOf('back')]);
    await foldAll(database);
    expect(await look()).toEqual([{ open: true, event_count: '3' }]);
  });

  it('never runs ahead of the fold: what arrived after its position may not be counted yet', async () => {
    await seed(3, '25 hours');
    await foldedBefore('2 hours');
    expect(await close(DAY_SECONDS)).toEqual({ rows: 0 });
    await foldedBefore('30 minutes');
    expect(await close(DAY_SECONDS)).toEqual({ rows: 3 });
    // Nothing was folded yet.
    await seed(1, '48 hours');
    await database.query('TRUNCATE rollup_generations');
    expect(await close(DAY_SECONDS)).toEqual({ rows: 0 });
  });

  it('does not wait for a session that a fold has locked', async () => {
    await seed(3, '25 hours');
    const writer = await database.connect();
    try {
      await writer.query("BEGIN; UPDATE sessions SET event_count = 2 WHERE session_id LIKE 's000002%'");
      expect(await close(DAY_SECONDS)).toEqual({ rows: 2 });
    } finally {
      await writer.end();
    }
  });
});

it('while writers write to the same sessions and others fold: no deadlock, and every event is counted once', async () => {
  const BATCHES = 60;
  const PER_BATCH = 100;
  const written = new AbortController();
  const failures: unknown[] = [];
  let closed = 0;
  let sent = 0;
  // Transactions of other tests on this server hold the fence back: nothing is folded before they end.
  const isEnough = (): boolean => closed > 150 || failures.length > 0;
  const write100 = async (): Promise<void> => {
    for (let batch = 0; batch < BATCHES || !isEnough(); batch += 1) {
      const events = Array.from({ length: PER_BATCH }, () => eventOf(`s${Math.floor(Math.random() * 150)}`));
      sent += events.length;
      await write(events).catch((error: unknown) => failures.push(error));
    }
  };
  const folding = Promise.all(
    [1, 2].map(async () => {
      while (!written.signal.aborted) await foldLiveOnce(opened).catch((error: unknown) => failures.push(error));
    }),
  );
  const closing = Promise.all(
    [1, 2].map(async () => {
      while (!written.signal.aborted) {
        await close(SOON).then(
          ({ rows }) => {
            closed += rows;
          },
          (error: unknown) => failures.push(error),
        );
      }
    }),
  );
  await Promise.all([write100(), write100(), write100()]);
  written.abort();
  await Promise.all([closing, folding]);
  await foldAll(database);
  expect(failures).toEqual([]);
  expect(closed).toBeGreaterThan(150);
  const [sums] = await database.query(`
    SELECT (SELECT sum(event_count)::int FROM sessions) AS counted, (SELECT count(*)::int FROM events) AS stored,
           (SELECT count(*)::int FROM sessions s WHERE event_count <>
             (SELECT count(*) FROM events e WHERE e.session_id = s.session_id)) AS wrong`);
  expect(sums).toEqual({ counted: sent, stored: sent, wrong: 0 });
});

it('folding into open sessions is HOT: no index has a column that every fold changes', async () => {
  const sessions = Array.from({ length: 10 }, (_, at) => `hot${at}`);
  await write(sessions.map((id) => eventOf(id)));
  await foldAll(database);
  // Of the fold's own update, in one transaction: the statistics of a table come late.
  const connection = await database.connect();
  await connection.query('BEGIN');
  await connection.query('UPDATE sessions SET last_seen_at = now(), event_count = event_count + 1, ended_at = NULL');
  const { rows } = await connection.query<{ updated: string; hot: string }>(`
    SELECT pg_stat_get_xact_tuples_updated('sessions'::regclass) AS updated,
           pg_stat_get_xact_tuples_hot_updated('sessions'::regclass) AS hot`);
  await connection.query('ROLLBACK');
  await connection.end();
  expect(rows[0]).toEqual({ updated: '10', hot: '10' });
});

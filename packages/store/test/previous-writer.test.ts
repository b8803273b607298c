import type pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import { makeWeeklyPartition } from '@sluice/testkit/weekly-partition';
import { type Database, openDatabase } from '../src/database.ts';
import { migrate } from '../src/migrations/migrate.ts';
import { MIGRATIONS } from '../src/migrations/migrations.ts';
import recorded from './fixtures/writer-statements-0.1.0.json' with { type: 'json' };

/**
 * What the writer of 0.1.0 sent to Postgres, recorded at its connections: a batch that is stored, a batch of which one event is
 * refused and one entry can't be read, and that event replayed. Writers of the previous release run on until the
 * schema has segments. The release itself runs in `pnpm test:long upgrade`.
 */
const STATEMENTS = recorded as { text: string; values: (string | string[] | { $bytes: string })[] }[];

let database: TestDatabase;
let opened: Database;
let client: pg.Client;
beforeAll(async () => {
  database = await createTestDatabase({ empty: true });
  opened = openDatabase({ url: database.url, poolSize: 2, statementTimeoutMs: 30_000, applicationName: 'test' });
  await migrate(
    opened,
    MIGRATIONS.filter(({ name }) => name < '0009'),
  );
  await makeWeeklyPartition(database, new Date());
  client = await database.connect();
  await database.query(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NEW.event_type = 'Poison' THEN RAISE EXCEPTION 'poisoned' USING ERRCODE = '22023'; END IF;
      RETURN NEW;
    END $$`);
});
afterAll(async () => {
  await client.end();
  await opened.close();
  await database.drop();
});

async function send(statements: typeof STATEMENTS): Promise<void> {
  for (const [at, { text, values }] of statements.entries()) {
    const sent = client.query(
      text,
      values.map((value) =>
        typeof value === 'object' && value !== null && '$bytes' in value ? Buffer.from(value.$bytes, 'base64') : value,
      ),
    );
    // The writer went back to the savepoint, because the statement before was refused.
    if (statements[at + 1]?.text.startsWith('ROLLBACK TO')) await expect(sent).rejects.toMatchObject({ code: '22023' });
    else await sent;
  }
}

it('what the writer of 0.1.0 sends does the same on the schema before segments', async () => {
  const replay = STATEMENTS.findLastIndex(({ text }) => text === 'begin');
  await database.query('CREATE TRIGGER refuse BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION refuse()');
  await send(STATEMENTS.slice(0, replay));
  const letters = () =>
    database.query('SELECT id, reason, state, replay_result, raw IS NOT NULL AS raw FROM dead_letters ORDER BY id');
  expect(await letters()).toEqual([
    { id: '1', reason: 'invalid_value', state: 'dead', replay_result: null, raw: false },
    { id: '2', reason: 'malformed_body', state: 'dead', replay_result: null, raw: true },
  ]);

  await database.query("UPDATE dead_letters SET state = 'replaying' WHERE id = 1");
  await database.query('DROP TRIGGER refuse ON events');
  await send(STATEMENTS.slice(replay));
  expect((await letters())[0]).toMatchObject({ state: 'replayed', replay_result: 'stored' });
  expect(await database.query('SELECT session_id, event_count::int FROM sessions ORDER BY session_id')).toEqual([
    { session_id: 's-1', event_count: 5 },
    { session_id: 's-2', event_count: 1 },
  ]);
  expect(
    await database.query('SELECT count(*)::int FROM events JOIN event_ids USING (tenant, event_id, stored_at)'),
  ).toEqual([{ count: 6 }]);
});

it('on the schema with segments it is refused, and what it stored is there', async () => {
  await migrate(opened);
  await expect(send(STATEMENTS)).rejects.toMatchObject({
    code: '0A000',
    message: 'events are in segments since Sluice 0.2.0: stop this writer and start one of 0.2.0 or later',
  });
  expect(await database.query('SELECT segment, count(*)::int FROM events GROUP BY 1')).toEqual([
    { segment: 0, count: 6 },
  ]);
});

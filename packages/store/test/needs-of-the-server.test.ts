import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterEach, beforeEach, expect, inject, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import { type Database, openDatabase } from '../src/database.ts';
import { findObstacle, READS, STORES } from '../src/find-obstacle.ts';
import { migrate } from '../src/migrations/migrate.ts';
import { prepareDatabase } from '../src/prepare-database.ts';

const closing: (() => Promise<unknown>)[] = [];
let database: TestDatabase;
let admin: pg.Client;
beforeEach(async () => {
  database = await createTestDatabase({ empty: true });
  admin = new pg.Client({ connectionString: inject('databaseUrl') });
  await admin.connect();
});
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
  await database.drop();
  await admin.end();
});

function open(url: string, schema?: string): Database {
  const opened = openDatabase({ url, schema, poolSize: 2, statementTimeoutMs: 60_000, applicationName: 'test' });
  closing.push(() => opened.close());
  return opened;
}

/** A role of this test, that may use the database. */
async function makeRole(): Promise<{ role: string; url: string }> {
  const role = `role_${randomBytes(4).toString('hex')}`;
  await database.query(`CREATE ROLE ${role} LOGIN PASSWORD 'x'`);
  closing.push(async () => {
    await database.query(`DROP OWNED BY ${role} CASCADE`);
    await database.query(`DROP ROLE ${role}`);
  });
  const url = new URL(database.url);
  url.username = role;
  url.password = 'x';
  return { role, url: url.href };
}

const tables = async (): Promise<unknown> =>
  database.query(
    `SELECT schemaname AS schema, count(*)::int AS tables FROM pg_tables
     WHERE schemaname NOT IN ('pg_catalog', 'information_schema') GROUP BY 1 ORDER BY 1`,
  );

it.each(['LATIN1', 'WIN1252', 'EUC_JP'])(
  'a database of encoding %s is refused, and nothing is made in it',
  async (encoding) => {
    const name = `sluice_test_${randomBytes(6).toString('hex')}`;
    await admin.query(`CREATE DATABASE ${name} ENCODING '${encoding}' LOCALE 'C' TEMPLATE template0`);
    closing.push(() => admin.query(`DROP DATABASE ${name} WITH (FORCE)`));
    const url = new URL(database.url);
    url.pathname = `/${name}`;
    const opened = open(url.href);
    await expect(prepareDatabase(opened)).rejects.toThrow(`needs server_encoding UTF8; this database has ${encoding}`);
    await expect(migrate(opened)).rejects.toThrow('needs server_encoding UTF8');
    const client = new pg.Client({ connectionString: url.href });
    await client.connect();
    closing.push(() => client.end());
    expect((await client.query("SELECT to_regclass('sluice_migrations') AS made")).rows).toEqual([{ made: null }]);
  },
);

it('a schema of the role’s name, made later, changes nothing: tables and new segments stay where they are', async () => {
  const { role, url } = await makeRole();
  await database.query(`GRANT CREATE ON SCHEMA public TO ${role}`);
  await prepareDatabase(open(url));
  const before = await tables();
  await database.query(`CREATE SCHEMA ${role} AUTHORIZATION ${role}`);
  // A table of the same name there, as another program may make it.
  await database.query(`CREATE TABLE ${role}.events (id int)`);
  const later = open(url);
  await database.query("UPDATE segments SET state = 'closed' WHERE state = 'next'");
  const { migrations, segments } = await prepareDatabase(later);
  expect(migrations).toEqual([]);
  expect(segments).toEqual(['events_s3']);
  expect(await database.query(`SELECT tablename FROM pg_tables WHERE schemaname = '${role}'`)).toEqual([
    { tablename: 'events' },
  ]);
  expect(before).not.toEqual(await tables());
  expect(await findObstacle(later.db, STORES)).toBeNull();
});

it('tables in a schema that search_path does not reach are not made again; DATABASE_SCHEMA chooses', async () => {
  await prepareDatabase(open(database.url));
  const { role, url } = await makeRole();
  await database.query(`CREATE SCHEMA app AUTHORIZATION ${role}`);
  await database.query(`ALTER ROLE ${role} SET search_path = app`);
  const elsewhere = open(url);
  await expect(prepareDatabase(elsewhere)).rejects.toThrow(/in schema "public" .* leads to "app".* DATABASE_SCHEMA/);
  expect(await tables()).toMatchObject([{ schema: 'public' }]);
  expect(await findObstacle(elsewhere.db, READS)).toMatchObject({
    code: 'schema_missing',
    message: expect.stringMatching(/in schema "public".*search_path \(app\)/) as string,
  });

  const chosen = await prepareDatabase(open(url, 'app'));
  expect(chosen).toMatchObject({ schema: 'app', otherSchemas: ['public'] });
  expect(await tables()).toMatchObject([{ schema: 'app' }, { schema: 'public' }]);
  await expect(prepareDatabase(open(url, 'nowhere'))).rejects.toThrow('has not the schema "nowhere"');
});

it('a role that may not create tables is told so, with the schema', async () => {
  const { role, url } = await makeRole();
  await database.query('REVOKE CREATE ON SCHEMA public FROM PUBLIC');
  await expect(prepareDatabase(open(url))).rejects.toThrow(
    `role "${role}" may not create tables in schema "public": GRANT CREATE ON SCHEMA`,
  );
});

it('array_nulls = off, set for the database, is not in force', async () => {
  const name = new URL(database.url).pathname.slice(1);
  await database.query(`ALTER DATABASE ${name} SET array_nulls = off`);
  const { rows } = await open(database.url).withClient((client) =>
    client.query<{ texts: (string | null)[] }>('SELECT $1::text[] AS texts', ['{NULL,"NULL"}']),
  );
  expect(rows).toEqual([{ texts: [null, 'NULL'] }]);
});

it('a missing schema, table or privilege and a read-only database are obstacles, each named', async () => {
  const opened = open(database.url);
  expect(await findObstacle(opened.db, READS)).toMatchObject({ code: 'schema_missing' });
  await prepareDatabase(opened);
  expect(await findObstacle(opened.db, STORES)).toBeNull();

  const { role, url } = await makeRole();
  await database.query(`GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${role}`);
  const poor = open(url);
  expect(await findObstacle(poor.db, READS)).toBeNull();
  expect(await findObstacle(poor.db, STORES)).toMatchObject({
    code: 'privilege_missing',
    message: expect.stringContaining('INSERT on events') as string,
  });

  const name = new URL(database.url).pathname.slice(1);
  await database.query(`ALTER DATABASE ${name} SET default_transaction_read_only = on`);
  const readOnly = open(database.url);
  expect(await findObstacle(readOnly.db, STORES)).toMatchObject({ code: 'read_only' });
  expect(await findObstacle(readOnly.db, READS)).toBeNull();

  await opened.db.schema.alterTable('sessions').renameTo('sessions_away').execute();
  expect(await findObstacle(opened.db, READS)).toMatchObject({
    code: 'schema_missing',
    message: expect.stringContaining('sessions') as string,
  });
});

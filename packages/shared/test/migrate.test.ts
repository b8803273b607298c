import { afterEach, beforeEach, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../tests/setup/test-database.ts';
import { migrate, MIGRATIONS } from '../src/database/migrate.ts';
import { createOrm, type Orm } from '../src/database/orm.ts';
import { prepareDatabase } from '../src/database/prepare-database.ts';

let database: TestDatabase;
let orms: Orm[];

beforeEach(async () => {
  database = await createTestDatabase({ empty: true });
  const options = { url: database.url, poolSize: 2, statementTimeoutMs: 30_000, applicationName: 'test' };
  orms = await Promise.all(Array.from({ length: 6 }, () => createOrm(options)));
});
afterEach(async () => {
  await Promise.all(orms.map((orm) => orm.close(true)));
  await database.drop();
});

it('several daemons prepare an empty database at once; each migration and partition is made once', async () => {
  const prepared = await Promise.all(orms.map((orm) => prepareDatabase(orm, new Date('2026-11-21T10:00:00Z'))));
  expect(prepared.flatMap((each) => each.migrations)).toEqual(MIGRATIONS.map((migration) => migration.name));
  expect(prepared.flatMap((each) => each.partitions).toSorted()).toEqual([
    'events_2026w47',
    'events_2026w48',
    'events_2026w49',
  ]);
  expect(await database.query('SELECT name FROM sluice_migrations')).toHaveLength(MIGRATIONS.length);
});

it('a daemon that is older than the schema refuses to run', async () => {
  await migrate(orms[0]!);
  await database.query("INSERT INTO sluice_migrations (name) VALUES ('9999-of-the-future')");
  await expect(migrate(orms[1]!)).rejects.toThrow(/9999-of-the-future/);
});

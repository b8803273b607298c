import { MikroORM } from '@mikro-orm/postgresql';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { sealHotSegment } from '@sluice/testkit/seal-hot-segment';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import { type Database, openDatabase } from '../src/database.ts';
import { ENTITIES } from '../src/entities/entities.ts';
import { TABLE_ENTITIES } from './entities/table-entities.ts';

let database: TestDatabase;
let opened: Database;
let orm: MikroORM;
beforeAll(async () => {
  database = await createTestDatabase();
  opened = openDatabase({ url: database.url, poolSize: 2, statementTimeoutMs: 30_000, applicationName: 'test' });
  orm = await MikroORM.init({
    clientUrl: database.url,
    entities: [...ENTITIES, ...TABLE_ENTITIES],
    // Of the migrations' own runner, and what stops writers of 0.1.0.
    schemaGenerator: { skipTables: ['sluice_migrations', 'event_ids'], ignoreRoutines: true },
  });
});
afterAll(async () => {
  await orm.close(true);
  await opened.close();
  await database.drop();
});

it('every entity has the columns of its table: names, types and nullability', async () => {
  for (const meta of orm.getMetadata().getAll().values()) {
    const columns = await database.query<{ name: string; type: string; nullable: boolean }>(
      `SELECT attname AS name, format_type(atttypid, atttypmod) AS type, NOT attnotnull AS nullable FROM pg_attribute
       WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attname`,
      [meta.tableName],
    );
    const properties = meta.props.map((property) => ({
      name: property.fieldNames[0]!,
      type: typeNames[property.columnTypes[0]!] ?? property.columnTypes[0]!,
      nullable: property.nullable === true,
    }));
    expect(
      properties.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
      meta.tableName,
    ).toEqual(columns);
  }
});

it("MikroORM's schema diff proposes nothing, also after segments were made at run time", async () => {
  for (let time = 0; time < 3; time += 1) await sealHotSegment(opened);
  const { up } = await orm.schema.getUpdateSchemaMigrationSQL({ wrap: false });
  expect(up).toBe('');
});

/** How Postgres spells the types that MikroORM abbreviates. */
const typeNames: Record<string, string> = {
  int: 'integer',
  'timestamptz(6)': 'timestamp(6) with time zone',
  'timestamptz(3)': 'timestamp(3) with time zone',
};

import { expect, it } from 'vitest';
import { createTestDatabase } from '@sluice/testkit/test-database';
import { PROJECTIONS } from '../src/all-projections.ts';

it('each table of a projection is there and is of that projection alone', async () => {
  const tables = PROJECTIONS.flatMap((projection) => projection.tables);
  expect(new Set(tables).size).toBe(tables.length);
  const database = await createTestDatabase();
  try {
    const found = await database.query<{ name: string }>(
      "SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND relname = ANY($1)",
      [tables],
    );
    expect(found.map(({ name }) => name).toSorted()).toEqual(tables.toSorted());
  } finally {
    await database.drop();
  }
});

it('no two projections have one name', () => {
  const names = PROJECTIONS.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});

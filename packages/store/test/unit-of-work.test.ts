import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { PoolUse } from '@sluice/daemon/telemetry/pool-metrics';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import { type Database, openDatabase } from '../src/database.ts';
import { AuditEntry } from '../src/entities/audit-entry.ts';
import { TenantRetention } from '../src/entities/tenant-retention.ts';
import { inUnitOfWork, LOCKED, now, type UnitOfWork } from '../src/entities/unit-of-work.ts';
import { watchStatements } from './fixtures/watch-statements.ts';

const POOL_SIZE = 2;
let database: TestDatabase;
let opened: Database;
let poolUse: () => PoolUse;
beforeAll(async () => {
  database = await createTestDatabase();
  opened = openDatabase({
    url: database.url,
    poolSize: POOL_SIZE,
    statementTimeoutMs: 30_000,
    applicationName: 'test',
    watchPool: (use) => {
      poolUse = use;
    },
  });
});
afterEach(async () => {
  await database.query('TRUNCATE tenant_retention, audit_log');
});
afterAll(async () => {
  await opened.close();
  await database.drop();
});

/** Two entities, so that a flush is more than one statement. */
function edit({ entities }: UnitOfWork, tenant = 'acme'): void {
  entities.getRepository(TenantRetention).create({ tenant, days: 7, updatedBy: 'ada' });
  entities
    .getRepository(AuditEntry)
    .create({ actor: 'ada', tenant, action: 'retention.set', affected: 1n, reason: null, details: { days: 7 } });
}

const stored = async () =>
  (await database.query('SELECT FROM tenant_retention UNION ALL SELECT FROM audit_log')).length;
const one = async () => (await sql<{ one: number }>`SELECT 1 AS one`.execute(opened.db)).rows[0]?.one;

it('writes what was changed when the work is done, in one transaction', async () => {
  const sent: string[] = [];
  // A new connection sets what statements rely on first.
  expect(await one()).toBe(1);
  const unwatch = watchStatements('test', (text) => sent.push(/^\w+/.exec(text)?.[0].toLowerCase() ?? ''));
  await inUnitOfWork(opened, async (unit) => edit(unit));
  expect(sent).toEqual(['begin', 'insert', 'insert', 'commit']);
  unwatch();
  expect(await stored()).toBe(2);
});

it('a statement beside the entities sees what was written before it', async () => {
  const count = await inUnitOfWork(opened, async (unit) => {
    edit(unit);
    await unit.write();
    return (await sql`SELECT FROM tenant_retention`.execute(unit.db)).rows.length;
  });
  expect(count).toBe(1);
});

it('writes nothing when the work throws, and nothing when a statement of the flush is refused', async () => {
  const thrown = inUnitOfWork(opened, async (unit) => {
    edit(unit);
    await unit.write();
    throw new RangeError('of the work');
  });
  await expect(thrown).rejects.toThrow(new RangeError('of the work'));
  const refused = inUnitOfWork(opened, async (unit) => {
    edit(unit);
    unit.entities.getRepository(TenantRetention).create({ tenant: 'globex', days: -1, updatedBy: 'ada' });
  });
  await expect(refused).rejects.toMatchObject({ code: '23514' });
  expect(await stored()).toBe(0);
});

it('a backend that ends in the middle of a flush costs no slot of the pool, however often', async () => {
  // The audit entry's INSERT ends the backend that runs it.
  await database.query(`CREATE FUNCTION end_backend() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$`);
  await database.query(
    'CREATE TRIGGER end_backend BEFORE INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION end_backend()',
  );
  try {
    for (let broken = 0; broken < POOL_SIZE * 3; broken += 1) {
      await expect(inUnitOfWork(opened, async (unit) => edit(unit))).rejects.toThrow(/terminat/i);
    }
  } finally {
    await database.query('DROP FUNCTION end_backend CASCADE');
  }
  expect(poolUse()).toMatchObject({ used: 0, waiting: 0, max: POOL_SIZE });
  expect(await Promise.all([one(), one()])).toEqual([1, 1]);
  expect(await stored()).toBe(0);
  await inUnitOfWork(opened, async (unit) => edit(unit));
  expect(await stored()).toBe(2);
});

it('an entity that is read to be changed is locked, and its times keep their microseconds', async () => {
  await database.query("INSERT INTO tenant_retention VALUES ('acme', 7, NULL, '2026-01-31T09:30:00.123456Z', 'ada')");
  const change = (days: number): Promise<void> =>
    inUnitOfWork(opened, async ({ entities }) => {
      const retention = entities.getRepository(TenantRetention);
      const row = await retention.findOne({ tenant: 'acme' }, LOCKED);
      retention.assign(row!, { days: row!.days + days, updatedAt: now() });
    });
  await Promise.all([change(1), change(10)]);
  const [row] = await database.query(
    "SELECT days, updated_by, updated_at > '2026-02-01' AS updated FROM tenant_retention",
  );
  expect(row).toEqual({ days: 18, updated_by: 'ada', updated: true });
  await database.query("UPDATE tenant_retention SET updated_at = '2026-01-31T09:30:00.123456Z'");
  await inUnitOfWork(opened, async ({ entities }) => {
    const found = await entities.getRepository(TenantRetention).findOne({ tenant: 'acme' }, LOCKED);
    found!.days = 30;
  });
  const [kept] = await database.query(
    "SELECT updated_at = '2026-01-31T09:30:00.123456Z' AS kept FROM tenant_retention",
  );
  expect(kept).toEqual({ kept: true });
});

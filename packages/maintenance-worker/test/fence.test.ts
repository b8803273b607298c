import { Redis } from 'ioredis';
import { sql } from 'kysely';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, inject, it } from 'vitest';
import { createLogger } from '@sluice/daemon/log/logger';
import { openDatabase, type Database } from '@sluice/store/database';
import { inWindow, readFence, segmentsInWindow } from '@sluice/store/fence/fence';
import { fenceAge } from '@sluice/store/fence/fence-age';
import { observeTransactions } from '@sluice/store/fence/observe-transactions';
import { hiddenRoles } from '@sluice/store/fence/open-transactions';
import { inSegments, readableSegments } from '@sluice/store/layout/readable-segments';
import { behindFence } from '@sluice/testkit/behind-fence';
import { sealHotSegment } from '@sluice/testkit/seal-hot-segment';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import type { MaintenanceConfig } from '../src/config.ts';
import { checkFenceJob } from '../src/jobs/check-fence.ts';

let database: TestDatabase;
let opened: Database;
const clients: pg.Client[] = [];
beforeAll(async () => {
  database = await createTestDatabase();
  opened = openDatabase({ url: database.url, poolSize: 3, statementTimeoutMs: 30_000, applicationName: 'test' });
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.end()));
});
afterAll(async () => {
  await opened.close();
  await database.drop();
});

async function connect(url = database.url): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  clients.push(client);
  return client;
}

it('a transaction in another database holds the fence back, and is named with its age', async () => {
  const elsewhere = await createTestDatabase({ empty: true });
  const client = await connect(elsewhere.url);
  await client.query("SET application_name = 'a report'");
  await client.query('BEGIN');
  const { rows } = await client.query<{ tx: string }>('SELECT pg_current_xact_id()::text AS tx');
  const db = opened.db;
  await database.query('SELECT pg_current_xact_id()');
  const after = await readFence(db);
  // Older transactions of others may hold it back further.
  expect(BigInt(after.tx)).toBeLessThanOrEqual(BigInt(rows[0]!.tx));
  const { seconds, holders } = await fenceAge(db);
  expect(seconds).toBeGreaterThan(0);
  expect(holders).toContainEqual(
    expect.objectContaining({
      kind: 'session',
      database: new URL(elsewhere.url).pathname.slice(1),
      application: 'a report',
      state: 'idle in transaction',
    }),
  );
  await client.query('COMMIT');
  await client.end();
  clients.length = 0;
  await elsewhere.drop();
  await behindFence(database);
  expect(BigInt((await readFence(db)).tx)).toBeGreaterThan(BigInt(after.tx));
});

it('check-fence notes open transactions, and names the holder in an error when the fence is old', async () => {
  const lines: string[] = [];
  const logger = createLogger(
    { daemon: 'maintenance-worker', version: 'test', level: 'info' },
    { write: (line: string) => void lines.push(line) },
  );
  const redis = new Redis(inject('redisUrl'), { lazyConnect: true });
  const context = { database: opened, redis, logger, config: {} as MaintenanceConfig };
  await checkFenceJob.run(context);
  // Transactions of other tests must have ended by then: otherwise no observation is below the fence.
  await behindFence(database);
  const client = await connect();
  await client.query('BEGIN; SELECT pg_current_xact_id()');
  await checkFenceJob.run(context);
  expect(lines.join('\n')).not.toContain('holds the fence back');
  // As if no observation had been below the fence for an hour.
  await database.query("UPDATE fence_observations SET observed_at = observed_at - interval '1 hour'");
  const { rows, details } = await checkFenceJob.run(context);
  expect(rows).toBeGreaterThan(3_500);
  expect(details).toMatchObject({ hidden_roles: [] });
  expect(lines.join('\n')).toContain('holds the fence back');
  // Among those of other tests: the fence is the whole server's.
  const holders = (details!['holders'] as { pid: number }[]).map(({ pid }) => pid);
  expect(holders).toContain((await client.query('SELECT pg_backend_pid() AS pid')).rows[0].pid);
  redis.disconnect();
});

it('windows skip the segments in which everything is older than their position', async () => {
  const db = opened.db;
  // Of the cluster that this one was restored from: its ids are above those of this one, but it was stored long ago.
  await store("now() - interval '1 hour'", "'5000000000'");
  const old = await sealHotSegment(opened);
  await store('now()', 'pg_current_xact_id()');
  const below = await sealHotSegment(opened);
  await behindFence(database);
  await observeTransactions(db);
  await behindFence(database);
  const from = await readFence(db);
  expect(Date.parse(from.floor)).toBeGreaterThan(Date.now() - 5 * 60_000);
  await store('now()', 'pg_current_xact_id()');
  const beyond = await sealHotSegment(opened);
  await store('now()', 'pg_current_xact_id()');
  await behindFence(database);
  const to = await readFence(db);
  const segments = segmentsInWindow(await readableSegments(db), from);
  const window = sql`tenant = ${'default'} AND ${inSegments(segments)} AND ${inWindow(from, to)}`;
  const { rows } = await sql<{ 'QUERY PLAN': string }>`EXPLAIN SELECT * FROM events WHERE ${window}`.execute(db);
  const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
  const [hot] = await database.query("SELECT relation FROM segments WHERE state = 'hot'");
  for (const { relation } of [old, below]) expect(plan).not.toContain(relation);
  for (const relation of [beyond.relation, hot!['relation']]) expect(plan).toContain(relation);
  const { rows: found } = await sql<{ count: number }>`
    SELECT count(*)::int AS count FROM events WHERE ${window}`.execute(db);
  expect(found[0]!.count).toBe(2);
  // The same rows as without the segments.
  const { rows: all } = await sql<{ count: number }>`
    SELECT count(*)::int AS count FROM events WHERE tenant = ${'default'} AND ${inWindow(from, to)}`.execute(db);
  expect(all[0]!.count).toBe(2);

  async function store(storedAt: string, tx: string): Promise<void> {
    await database.query(
      `INSERT INTO events (stored_at, tx, tenant, event_id, event_type, occurred_at, received_at, source, payload)
       VALUES (${storedAt}, ${tx}, 'default', gen_random_uuid(), 'x', now(), now(), 'governance-tracker', '{}')`,
    );
  }
});

it('without an observation below the fence nothing is pruned', async () => {
  await database.query('DELETE FROM fence_observations');
  expect((await readFence(opened.db)).floor).toBe('1970-01-01T00:00:00.000000Z');
});

it('a role whose sessions hide their start keeps the old floor of windows, and is named', async () => {
  const name = new URL(database.url).pathname.slice(1);
  await database.query(
    `CREATE ROLE ${name}_other LOGIN PASSWORD 'other'; CREATE ROLE ${name}_worker LOGIN PASSWORD 'worker'`,
  );
  await database.query(
    `GRANT INSERT ON events TO ${name}_other; GRANT SELECT, INSERT, DELETE ON fence_observations, fence_clusters TO ${name}_worker`,
  );
  const urlOf = (role: string): string => {
    const url = new URL(database.url);
    url.username = `${name}_${role}`;
    url.password = role;
    return url.href;
  };
  const worker = openDatabase({
    url: urlOf('worker'),
    poolSize: 1,
    statementTimeoutMs: 30_000,
    applicationName: 'test',
  });
  const db = worker.db;
  await database.query('DELETE FROM fence_observations');
  const observations = async (): Promise<number> => (await database.query('SELECT FROM fence_observations')).length;
  const other = await connect(urlOf('other'));
  await other.query('BEGIN; SELECT 1');
  // The superuser's own sessions are hidden as well.
  expect(await hiddenRoles(db)).toContain(`${name}_other`);
  await observeTransactions(db);
  expect(await observations()).toBe(0);
  await database.query(`GRANT pg_read_all_stats TO ${name}_worker`);
  expect(await hiddenRoles(db)).toEqual([]);
  await observeTransactions(db);
  expect(await observations()).toBe(1);
  await worker.close();
  await other.end();
  clients.length = 0;
  await database.query(`DROP OWNED BY ${name}_other, ${name}_worker; DROP ROLE ${name}_other, ${name}_worker`);
});

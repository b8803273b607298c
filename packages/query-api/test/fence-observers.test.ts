import { type Kysely, sql } from 'kysely';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openDatabase, type Database } from '@sluice/store/database';
import { observeTransactions } from '@sluice/store/fence/observe-transactions';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import { sightTransactions } from '../src/tail/fence-history.ts';

/** What an observer of open transactions claims: one that gets `nextTx` or a later id began at `floorMs` or later. */
interface Claim {
  /** Milliseconds since 1970, without the observer's margin; null when a session hides its start. */
  readonly floorMs: number | null;
  readonly nextTx: bigint;
}

const LONGEST_MS = 10 * 60_000;

/** The observers that readers of committed events rely on. */
const OBSERVERS: { name: string; observe: (db: Kysely<unknown>) => Promise<Claim> }[] = [
  {
    name: 'exports and roll-ups',
    async observe(db) {
      await observeTransactions(db);
      const { rows } = await sql<{ next_tx: string; floor: string }>`
        SELECT next_tx::text, extract(epoch FROM floor) * 1000 AS floor
        FROM fence_observations ORDER BY fence_observations.next_tx DESC LIMIT 1`.execute(database.db);
      return rows[0] === undefined
        ? { floorMs: null, nextTx: 0n }
        : { floorMs: Number(rows[0].floor) + 60_000, nextTx: BigInt(rows[0].next_tx) };
    },
  },
  {
    name: 'live tail',
    async observe(db) {
      const { begunSince, unassigned, at } = await sightTransactions(db);
      return { floorMs: begunSince <= at - LONGEST_MS ? null : begunSince + 5_000, nextTx: unassigned };
    },
  },
];

let database: TestDatabase & { db: Kysely<unknown> };
let opened: Database;
const clients: pg.Client[] = [];
beforeAll(async () => {
  const made = await createTestDatabase();
  opened = openDatabase({ url: made.url, poolSize: 3, statementTimeoutMs: 30_000, applicationName: 'test' });
  database = { ...made, db: opened.db };
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.end()));
  await database.query('DELETE FROM fence_observations');
});
afterAll(async () => {
  await opened.close();
  await database.drop();
});

async function connect(url = database.url, applicationName = 'an application'): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, application_name: applicationName });
  client.on('error', () => {});
  await client.connect();
  clients.push(client);
  return client;
}

/** Begins a transaction that has no id yet; the answer is when it began, in milliseconds since 1970. */
async function begin(client: pg.Client): Promise<number> {
  await client.query('BEGIN');
  const { rows } = await client.query('SELECT extract(epoch FROM now()) * 1000 AS at');
  return Number(rows[0].at);
}

async function takeId(client: pg.Client): Promise<bigint> {
  return BigInt((await client.query('SELECT pg_current_xact_id()::text AS tx')).rows[0].tx);
}

/** The same database; `between` runs after the first statement that is sent over it. */
function interrupted(db: Kysely<unknown>, between: () => Promise<void>): Kysely<unknown> {
  let statements = 0;
  return db.withPlugin({
    transformQuery: ({ node }) => node,
    async transformResult({ result }) {
      statements += 1;
      if (statements === 1) await between();
      return result;
    },
  });
}

/** How far two clocks of one server may be apart in these figures: they have microseconds, a number of milliseconds has fewer. */
const ROUNDING_MS = 1;

describe.each(OBSERVERS)('the observer of $name', ({ observe }) => {
  it('counts a transaction that is open and has no id yet', async () => {
    const client = await connect();
    const begun = await begin(client);
    const { floorMs, nextTx } = await observe(database.db);
    expect(floorMs).not.toBeNull();
    expect(floorMs!).toBeLessThanOrEqual(begun + ROUNDING_MS);
    expect(await takeId(client)).toBeGreaterThanOrEqual(nextTx);
  });

  it('claims nothing about one that began before and gets its id during the observation', async () => {
    const client = await connect();
    const begun = await begin(client);
    let id = 0n;
    const { floorMs, nextTx } = await observe(
      interrupted(database.db, async () => {
        id = await takeId(client);
        await client.query('COMMIT');
      }),
    );
    expect(id).toBeGreaterThan(0n);
    expect(id < nextTx || floorMs! <= begun + ROUNDING_MS).toBe(true);
  });

  it('is right about one that begins during the observation', async () => {
    const client = await connect();
    let begun = 0;
    const { floorMs, nextTx } = await observe(
      interrupted(database.db, async () => {
        begun = await begin(client);
      }),
    );
    expect(await takeId(client)).toBeGreaterThanOrEqual(nextTx);
    expect(floorMs!).toBeLessThanOrEqual(begun + ROUNDING_MS);
  });

  it('looks no further back than needed when nothing is open', async () => {
    const [before] = await database.query('SELECT extract(epoch FROM clock_timestamp()) * 1000 AS at');
    const { floorMs } = await observe(database.db);
    expect(floorMs!).toBeGreaterThanOrEqual(Number(before!['at']) - ROUNDING_MS);
  });

  it('is not held back by an export that reads, nor by a transaction of another database', async () => {
    const reader = await connect(database.url, 'sluice-maintenance');
    const begun = await begin(reader);
    const elsewhere = await createTestDatabase();
    const client = await connect(elsewhere.url);
    await begin(client);
    const { floorMs } = await observe(database.db);
    expect(floorMs!).toBeGreaterThan(begun);
    await client.end();
    clients.splice(clients.indexOf(client), 1);
    await elsewhere.drop();
  });

  it('does not know a floor while a role that may store events hides when its sessions began', async () => {
    const name = new URL(database.url).pathname.slice(1);
    const [other, worker] = [`${name}_other`, `${name}_worker`];
    await database.query(`CREATE ROLE ${other} LOGIN PASSWORD 'x'; CREATE ROLE ${worker} LOGIN PASSWORD 'x'`);
    await database.query(`GRANT INSERT ON events TO ${other}; GRANT ALL ON fence_observations TO ${worker}`);
    const urlOf = (role: string): string => {
      const url = new URL(database.url);
      [url.username, url.password] = [role, 'x'];
      return url.href;
    };
    const observing = openDatabase({
      url: urlOf(worker),
      poolSize: 1,
      statementTimeoutMs: 30_000,
      applicationName: 'test',
    });
    const client = await connect(urlOf(other));
    await begin(client);
    expect((await observe(observing.db)).floorMs).toBeNull();
    await database.query(`GRANT pg_read_all_stats TO ${worker}`);
    expect((await observe(observing.db)).floorMs).not.toBeNull();
    await observing.close();
    await client.end();
    await database.query(`DROP OWNED BY ${other}, ${worker}; DROP ROLE ${other}, ${worker}`);
  });
});

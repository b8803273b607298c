import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openDatabase } from '@sluice/store/database';
import { observeTransactions } from '@sluice/store/fence/observe-transactions';
import { prepareDatabase } from '@sluice/store/prepare-database';
import { type OwnServer, ownPostgres } from '@sluice/testkit/own-servers';
import { seededRandom } from '@sluice/testkit/random';
import { type ExportRig, exportRig, STORE_EVENTS } from './fixtures/export-rig.ts';

/** Its transactions outlive their sessions when they are prepared, and another database has long ones too. */
let server: OwnServer;
let rig: ExportRig;
const clients: pg.Client[] = [];

beforeAll(async () => {
  server = await ownPostgres({ max_prepared_transactions: '10' });
  const opened = openDatabase({ url: server.url, poolSize: 1, statementTimeoutMs: 30_000, applicationName: 'test' });
  await prepareDatabase(opened);
  await opened.close();
  const pool = await connect(server.url);
  rig = await exportRig({ url: server.url, query: async (text, values) => (await pool.query(text, values)).rows });
  await pool.query('CREATE DATABASE elsewhere');
});
afterAll(async () => {
  await rig.close();
  await Promise.all(clients.map((client) => client.end()));
  await server.remove();
});

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  clients.push(client);
  return client;
}

/** Exports the next window of the schedule. @returns ids of its events */
async function exportNext(tenant: string): Promise<string[]> {
  const manifest = await rig.run(await rig.queue({ tenant, trigger: 'schedule' }));
  expect(manifest).not.toBeNull();
  return (await rig.text(manifest!))
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as { eventId: string }).eventId);
}

it.each([1, 2, 3])(
  'slow transactions that interleave with exports: each event in exactly one (seed %i)',
  async (seed) => {
    const tenant = `seed-${seed}`;
    const random = seededRandom(seed);
    const elsewhere = new URL(server.url);
    elsewhere.pathname = '/elsewhere';
    const writers = await Promise.all(Array.from({ length: 6 }, () => connect(server.url)));
    const [early, control, other] = await Promise.all([server.url, server.url, elsewhere.href].map(connect));
    const open = new Map<pg.Client, string[]>();
    const prepared = new Map<string, string[]>();
    const committed: string[] = [];
    const exported: string[] = [];
    let otherIsOpen = false;
    const store = async (client: pg.Client): Promise<string[]> =>
      (await client.query<{ event_id: string }>(STORE_EVENTS, [tenant, 1 + random.int(3)])).rows.map(
        (row) => row.event_id,
      );

    /** The oldest prepared transaction ends. */
    const commitPrepared = async (): Promise<void> => {
      const [next] = prepared;
      if (next === undefined) return;
      await control!.query(`COMMIT PREPARED '${next[0]}'`);
      committed.push(...next[1]);
      prepared.delete(next[0]);
    };
    /** One that holds the fence of the whole cluster back, without a row here. */
    const toggleOther = async (): Promise<void> => {
      await other!.query(otherIsOpen ? 'COMMIT' : 'BEGIN; SELECT pg_current_xact_id()');
      otherIsOpen = !otherIsOpen;
    };
    /** One step of some writer: it begins, stores, or ends in one of three ways. */
    const moveOn = async (writer: pg.Client): Promise<void> => {
      const ids = open.get(writer);
      if (ids === undefined) {
        // Some get their id now, the others with their first row.
        await writer.query(random.pick(['BEGIN', 'BEGIN; SELECT pg_current_xact_id()']));
        open.set(writer, []);
        return;
      }
      const step = random.pick(['store', 'store', 'store', 'commit', 'commit', 'roll back', 'prepare'] as const);
      if (step === 'store') {
        ids.push(...(await store(writer)));
        return;
      }
      open.delete(writer);
      if (step === 'roll back') await writer.query('ROLLBACK');
      else if (step === 'prepare' && prepared.size < 3) {
        const gid = `${tenant}-${committed.length}-${random.int(1e9)}`;
        await writer.query(`PREPARE TRANSACTION '${gid}'`);
        prepared.set(gid, ids);
      } else {
        await writer.query('COMMIT');
        committed.push(...ids);
      }
    };

    // Began before the first fence there is, and gets its id long after.
    await early!.query('BEGIN; SELECT now()');
    for (let step = 0; step < 200; step += 1) {
      const what = random.int(10);
      if (what === 0) exported.push(...(await exportNext(tenant)));
      else if (what === 1) await observeTransactions(rig.opened.db, 0);
      else if (what === 2) await random.pick([toggleOther, commitPrepared])();
      else await moveOn(random.pick(writers));
      if (step === 100) committed.push(...(await store(early!)));
      if (step === 150) await early!.query('COMMIT');
    }
    for (const [writer, ids] of open) {
      await writer.query('COMMIT');
      committed.push(...ids);
    }
    while (prepared.size > 0) await commitPrepared();
    if (otherIsOpen) await toggleOther();
    exported.push(...(await exportNext(tenant)));
    expect(exported.toSorted()).toEqual(committed.toSorted());
    expect(committed.length).toBeGreaterThan(30);
  },
);

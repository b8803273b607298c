import { afterEach, beforeEach, expect, it } from 'vitest';
import { observeTransactions } from '@sluice/store/fence/observe-transactions';
import { behindFence } from '@sluice/testkit/behind-fence';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import { rebaseExports } from '../src/jobs/rebase-exports.ts';
import { type ExportRig, exportRig } from './fixtures/export-rig.ts';

let database: TestDatabase;
let rig: ExportRig;
beforeEach(async () => {
  database = await createTestDatabase();
  rig = await exportRig(database);
});
afterEach(async () => {
  await rig.close();
  await database.drop();
});

/** Stores an event named `name`; @param tx its transaction's id in the cluster that stored it, if not this one */
async function store(name: string, storedAt: string, tx?: string, tenant = 'default'): Promise<void> {
  await database.query(
    `INSERT INTO events (stored_at, tenant, event_id, event_type, occurred_at, received_at, source, payload, tx)
     VALUES (now() + $2::interval, $3, gen_random_uuid(), $1, now(), now(), 'governance-tracker', '{}',
             coalesce($4::xid8, pg_current_xact_id()))`,
    [name, storedAt, tenant, tx ?? null],
  );
}

/** Runs every queued run, or a new one of the schedule. @returns the names of the events, sorted */
async function exported(ids: readonly string[]): Promise<string[]> {
  await behindFence(database);
  const names: string[] = [];
  for (const id of ids) {
    const manifest = await rig.run(id);
    const lines = (await rig.text(manifest!)).split('\n').filter((line) => line !== '');
    names.push(...lines.map((line) => (JSON.parse(line) as { eventType: string }).eventType));
  }
  return names.toSorted();
}
const next = async (tenant = 'default'): Promise<string[]> =>
  exported([await rig.queue({ trigger: 'schedule', tenant })]);
const rebase = () => rebaseExports(rig.opened, rig.opened.db, rig.context.settings);
const rebaseRuns = async (): Promise<string[]> =>
  (await database.query("SELECT id FROM export_runs WHERE trigger = 'rebase' AND state = 'queued'")).map((row) =>
    String(row['id']),
  );

/**
 * Makes the database look like one that was restored from another cluster an hour ago: its position and its cluster are
 * the other one's, and so are the ids of the transactions of what was stored before, far above those of this cluster.
 */
async function restoredFromElsewhere(): Promise<void> {
  await database.query("UPDATE fence_clusters SET system_identifier = 'elsewhere'");
  await database.query(
    "UPDATE export_positions SET system_identifier = 'elsewhere', tx = '5000000000', fenced_at = now() - interval '2 hours', floor = now() - interval '3 hours'",
  );
  await database.query("UPDATE events SET tx = '4999999999', stored_at = now() - interval '150 minutes'");
}

it('after a restore exports stop and name the remedy; after a rebase every event is in exactly one', async () => {
  await store('exported before', '0');
  expect(await next()).toEqual(['exported before']);
  await restoredFromElsewhere();
  // Of the old cluster: began before the position's fence and committed after; and later ones.
  await store('old, late commit', '-121 minutes', '5000000001');
  await store('old, later', '-90 minutes', '5000000900');
  // Of this cluster, before anybody noticed: small ids, below the position's.
  await store('new, before the rebase', '-30 minutes');
  await expect(next()).rejects.toMatchObject({ code: 'other_cluster', message: /sluice jobs run rebase-exports/ });
  await database.query("UPDATE export_runs SET state = 'failed' WHERE state = 'running'");
  await expect(rig.run(await rig.queue())).rejects.toMatchObject({ code: 'other_cluster' });

  expect(await rebase()).toMatchObject({ runs: 1 });
  await store('new, after the rebase', '0');
  expect(await exported(await rebaseRuns())).toEqual(['new, before the rebase', 'old, late commit', 'old, later']);
  // Its id is between those of the old cluster's rows one day.
  await store('new, much later', '1 minute', '100');
  expect(await next()).toEqual(['new, after the rebase', 'new, much later']);
  // One day this cluster gives out the id that an old row has.
  await database.query("UPDATE events SET tx = pg_current_xact_id() WHERE event_type = 'old, later'");
  await store('new, last', '2 minutes');
  await observeTransactions(rig.opened.db, 0);
  expect(await next()).toEqual(['new, last']);
});

it('a tenant without a position gets the rows of the old cluster in its first export', async () => {
  await store('old', '0', undefined, 'quiet');
  expect(await next('other')).toEqual([]);
  await restoredFromElsewhere();
  await rebase();
  await store('new', '0', undefined, 'quiet');
  expect(await next('quiet')).toEqual(['new', 'old']);
  expect(await next('quiet')).toEqual([]);
});

it('a rebase that is requested twice queues each run once; without a move it does nothing', async () => {
  await store('a', '0');
  await next();
  expect(await rebase()).toEqual({ runs: 0, boundary: null });
  await restoredFromElsewhere();
  expect(await rebase()).toMatchObject({ runs: 1 });
  expect(await rebase()).toMatchObject({ runs: 0 });
  expect(await rebaseRuns()).toHaveLength(1);
});

it('the boundary waits for a transaction that began before the restore', async () => {
  await store('a', '0');
  await next();
  await restoredFromElsewhere();
  await store('old', '-30 seconds', '5000000900');
  await expect(rebase()).rejects.toThrow(/wait a minute, or end that transaction/);
});

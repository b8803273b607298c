import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import type { BenchOptions } from '../bench-options.ts';
import type { Figure } from '../figure.ts';
import { DIFFERENT_EVENTS, startBareCopy } from '../load/bare-copy.ts';
import { emptyTables } from '../load/empty-tables.ts';
import { prepareTables } from '../load/make-database.ts';
import { measureDrain } from '../load/measure-drain.ts';
import { untilFolded } from '../load/until-folded.ts';
import { sealFullSegments } from '../query/seal-full-segments.ts';
import { type SuiteContext, withServers } from '../with-servers.ts';
import type { LoadResults } from './load-results.ts';

const CHECK_EVERY_MS = 200;

/** The ledger of 0.1.0, without which its table would not know an id again. */
const LEDGER = [
  `CREATE TABLE event_ids (tenant text NOT NULL, event_id uuid NOT NULL, stored_at timestamptz(6) NOT NULL,
     PRIMARY KEY (tenant, event_id))`,
  'INSERT INTO event_ids SELECT tenant, event_id, stored_at FROM events',
];

/**
 * Measures what an event costs on disk, once it is folded and its segment is sealed: bytes of WAL on the way there, and bytes
 * of tables and indexes that stay. Beside COPY into the table of 0.1.0; its ledger of ids counts for the disk, not for the WAL.
 */
export async function runStorage(options: BenchOptions, context: SuiteContext): Promise<LoadResults> {
  const { signal, progress } = context;
  // Indexes store equal entries once: with the same times again, those of 0.1.0 would be smaller than they were.
  const events = Math.min(options.events, DIFFERENT_EVENTS);
  return withServers(context, ['maintenance-worker'], async ({ stack, around, running }) => {
    const { databaseUrl } = stack;
    await prepareTables(databaseUrl);
    const db = new Client({ connectionString: databaseUrl });
    await db.connect();
    running.defer(() => db.end());
    const copy = await startBareCopy(databaseUrl);
    running.defer(() => copy.stop());
    const ours: Cost[] = [];
    const theirs: Cost[] = [];
    for (let round = 1; round <= options.rounds; round += 1) {
      progress.line(
        `round ${round} of ${options.rounds}: storing, folding and sealing ${events.toLocaleString('en')} events`,
      );
      const before = await writtenWal(db);
      await measureDrain({ namespace: 'sluice', databaseUrl, events, writers: 1, concurrency: null }, around);
      await untilFolded(db, signal);
      await sealAll(databaseUrl, db, signal);
      const segments = "SELECT relation::regclass AS relid FROM segments WHERE state = 'sealed'";
      ours.push({ wal: ((await writtenWal(db)) - before) / events, disk: (await sizeOf(db, segments)) / events });
      await emptyTables(db);

      const beforeCopy = await writtenWal(db);
      await copy.measure({ events, seconds: null }, signal, async (yardstick) => {
        const wal = ((await writtenWal(db)) - beforeCopy) / events;
        for (const statement of LEDGER) await yardstick.query(statement);
        const tables = "SELECT relid FROM pg_partition_tree('events') UNION ALL SELECT 'event_ids'::regclass";
        theirs.push({ wal, disk: (await sizeOf(yardstick, tables)) / events });
        await yardstick.query('DROP TABLE event_ids');
      });
    }
    const figure = (name: string, of: keyof Cost, goal: Figure['goal']): Figure => ({
      name,
      unit: 'bytes',
      ours: ours.map((cost) => cost[of]),
      against: 'COPY into the table of 0.1.0',
      theirs: theirs.map((cost) => cost[of]),
      goal,
    });
    return {
      figures: [
        figure('WAL of an event, folded and sealed', 'wal', { of: 'value', bound: 'most', value: 800 }),
        figure('disk of an event, sealed, with all indexes', 'disk', { of: 'ratio', bound: 'most', value: 0.8 }),
      ],
      notes: [],
    };
  });
}

/** Bytes of an event. */
interface Cost {
  readonly wal: number;
  readonly disk: number;
}

/** All WAL that the server has ever written, in bytes. */
async function writtenWal(db: Client): Promise<number> {
  const { rows } = await db.query<{ bytes: string }>("SELECT pg_current_wal_insert_lsn() - '0/0' AS bytes");
  return Number(rows[0]!.bytes);
}

/** @param tables a query of tables by `relid` */
async function sizeOf(db: Client, tables: string): Promise<number> {
  const { rows } = await db.query<{ bytes: string }>(
    `SELECT sum(pg_total_relation_size(relid)) AS bytes FROM (${tables})`,
  );
  return Number(rows[0]!.bytes);
}

/** Seals the hot segment, and waits for the maintenance worker to seal those that are closed. */
async function sealAll(url: string, db: Client, signal: AbortSignal): Promise<void> {
  await sealFullSegments(url, (seal) => seal());
  for (;;) {
    const { rows } = await db.query("SELECT FROM segments WHERE state = 'closed'");
    if (rows.length === 0) return;
    await delay(CHECK_EVERY_MS, undefined, { signal });
  }
}

import { Client } from 'pg';
import type { BenchOptions } from '../bench-options.ts';
import type { Figure } from '../figure.ts';
import { median } from '../figures.ts';
import { startBareCopy } from '../load/bare-copy.ts';
import { emptyTables } from '../load/empty-tables.ts';
import { inTurn } from '../load/in-turn.ts';
import { makeDatabase, prepareTables } from '../load/make-database.ts';
import { measureDrain } from '../load/measure-drain.ts';
import { storeRows } from '../load/store-rows.ts';
import { type SuiteContext, type Surroundings, withServers } from '../with-servers.ts';
import type { LoadResults } from './load-results.ts';

/** Events to store beside an empty and a full table; few compared with the stored rows. */
const STORED_SHARE = 0.05;

/** Drains a backlog as after an outage of Postgres, and stores events beside many stored rows. */
export async function runBacklog(options: BenchOptions, context: SuiteContext): Promise<LoadResults> {
  return withServers(context, ['maintenance-worker'], async (servers) => {
    await prepareTables(servers.stack.databaseUrl);
    const drained = await drainBacklog(options, context, servers);
    return { figures: [...drained, ...(await besideStoredRows(options, context, servers))], notes: [] };
  });
}

async function drainBacklog(options: BenchOptions, context: SuiteContext, servers: Surroundings): Promise<Figure[]> {
  const { stack, around, running } = servers;
  const { backlog: events } = options;
  const db = new Client({ connectionString: stack.databaseUrl });
  await db.connect();
  running.defer(() => db.end());
  const copy = await startBareCopy(stack.databaseUrl);
  running.defer(() => copy.stop());
  const rates: number[] = [];
  const copied: number[] = [];
  const largest: number[] = [];
  const early: number[] = [];
  const late: number[] = [];
  for (let round = 1; round <= options.rounds; round += 1) {
    context.progress.line(`round ${round} of ${options.rounds}: draining ${events.toLocaleString('en')} events`);
    const drain = { namespace: 'sluice', databaseUrl: stack.databaseUrl, events, writers: 1, concurrency: null };
    const { eventsPerSecond, memory, peak } = await measureDrain(drain, around);
    rates.push(eventsPerSecond);
    await emptyTables(db);
    copied.push(await copy.measure({ events, seconds: null }, context.signal));
    // Not every system reports it.
    if (memory.length === 0) continue;
    largest.push(peak);
    // Without the first quarter, in which it starts.
    const quarter = memory.length / 4;
    early.push(median(memory.slice(quarter, 2 * quarter)));
    late.push(median(memory.slice(3 * quarter)));
  }
  const name = `drain of ${events.toLocaleString('en')} events`;
  return [
    {
      name,
      unit: 'events/s',
      ours: rates,
      against: 'bare COPY',
      theirs: copied,
      goal: { of: 'ratio', bound: 'least', value: 0.9 },
    },
    ...(largest.length === 0 ? [] : memoryFigures(name, largest, early, late)),
  ];
}

function memoryFigures(
  name: string,
  ours: readonly number[],
  early: readonly number[],
  late: readonly number[],
): Figure[] {
  return [
    {
      name: `${name}: the writer's memory at most`,
      unit: 'MiB',
      ours,
      against: null,
      theirs: [],
      goal: { of: 'value', bound: 'most', value: 300 },
    },
    {
      name: `${name}: the writer's memory, last quarter`,
      unit: 'MiB',
      ours: late,
      against: 'second quarter',
      theirs: early,
      // Flat.
      goal: { of: 'ratio', bound: 'most', value: 1.1 },
    },
  ];
}

async function besideStoredRows(
  options: BenchOptions,
  context: SuiteContext,
  servers: Surroundings,
): Promise<Figure[]> {
  const { around, running } = servers;
  const { stored } = options;
  const open = async (name: string) => {
    const databaseUrl = await makeDatabase(around.databaseUrl, name, 'sluice');
    const db = new Client({ connectionString: databaseUrl });
    await db.connect();
    running.defer(() => db.end());
    return { db, databaseUrl, namespace: name, rates: [] as number[] };
  };
  const full = await open('rows_stored');
  const empty = await open('no_rows');
  const onProgress = context.progress.start(`storing ${stored.toLocaleString('en')} rows`, stored);
  await storeRows(full.db, { rows: stored, schema: 'sluice', seed: 'full', signal: context.signal, onProgress });
  const events = Math.max(500, Math.round(stored * STORED_SHARE));
  for (let round = 1; round <= options.rounds; round += 1) {
    context.progress.line(`round ${round} of ${options.rounds}: storing beside ${stored.toLocaleString('en')} rows`);
    for (const { databaseUrl, namespace, rates } of inTurn([full, empty], round)) {
      const drain = { namespace, databaseUrl, events, writers: 1, concurrency: null };
      rates.push((await measureDrain(drain, around)).eventsPerSecond);
    }
    await emptyTables(empty.db);
  }
  return [
    {
      name: `storing beside ${stored.toLocaleString('en')} rows`,
      unit: 'events/s',
      ours: full.rates,
      against: 'the same in empty tables',
      theirs: empty.rates,
      goal: { of: 'ratio', bound: 'least', value: 0.95 },
    },
  ];
}

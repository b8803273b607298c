import { Client } from 'pg';
import type { BenchOptions } from '../bench-options.ts';
import type { Figure, Goal, Variant } from '../figure.ts';
import { COPY_CONNECTIONS, startBareCopy } from '../load/bare-copy.ts';
import { emptyTables } from '../load/empty-tables.ts';
import { inTurn } from '../load/in-turn.ts';
import { makeDatabase } from '../load/make-database.ts';
import { measureDrain } from '../load/measure-drain.ts';
import { type SuiteContext, withServers } from '../with-servers.ts';
import type { LoadResults } from './load-results.ts';

/** With more writers, two to four cores are full. */
const MOST_WRITERS = { full: 6, quick: 2 };

/** Events of one transaction: the default of WRITER_BATCH_EVENTS, and the larger ones that it allows. */
const DEFAULT_EVENTS = 500;
const LARGER_EVENTS = [1_000, 2_000, 5_000];

/** The default of WRITER_CONCURRENCY. */
const DEFAULT_CONCURRENCY = 3;

/** Writers that drain the backlog, and what was measured. */
interface Drained {
  readonly writers: number;
  /** Transactions that each has in flight. */
  readonly concurrency: number;
  /** Most events of a transaction. */
  readonly batchEvents: number;
  readonly rates: number[];
}

/**
 * Measures how storing grows with writers, each with one transaction at a time, and what larger transactions than the
 * default would gain: with one at a time, and with as many as a writer has by default.
 */
export async function runWriter(options: BenchOptions, context: SuiteContext): Promise<LoadResults> {
  const { progress, signal } = context;
  return withServers(context, [], async ({ stack, around, running }) => {
    const databaseUrl = await makeDatabase(stack.databaseUrl, 'drained', 'sluice');
    const db = new Client({ connectionString: databaseUrl });
    await db.connect();
    running.defer(() => db.end());
    const copy = await startBareCopy(stack.databaseUrl);
    running.defer(() => copy.stop());
    const { events } = options;
    const all = drains(MOST_WRITERS[options.quick ? 'quick' : 'full']);
    const copied: number[] = [];
    for (let round = 1; round <= options.rounds; round += 1) {
      for (const { writers, concurrency, batchEvents, rates } of inTurn(all, round)) {
        progress.line(
          `round ${round} of ${options.rounds}: writers at work: ${writers}, transactions each: ${concurrency} of ${batchEvents}`,
        );
        await emptyTables(db);
        const env = { WRITER_BATCH_EVENTS: String(batchEvents) };
        const drain = { namespace: 'drained', databaseUrl, events, writers, concurrency, env };
        rates.push((await measureDrain(drain, around)).eventsPerSecond);
      }
      await emptyTables(db);
      copied.push(await copy.measure({ events, seconds: null }, signal));
    }
    return { figures: figuresOf(all, copied), notes: [] };
  });
}

/** All that is drained in a round: with 500 events a transaction for every number of writers, with more for one writer. */
function drains(mostWriters: number): Drained[] {
  const sizes = [DEFAULT_EVENTS, ...LARGER_EVENTS];
  return [
    ...Array.from({ length: mostWriters }, (_, at) => ({
      writers: at + 1,
      concurrency: 1,
      batchEvents: DEFAULT_EVENTS,
    })),
    ...LARGER_EVENTS.map((batchEvents) => ({ writers: 1, concurrency: 1, batchEvents })),
    ...sizes.map((batchEvents) => ({ writers: 1, concurrency: DEFAULT_CONCURRENCY, batchEvents })),
  ].map((drain) => ({ ...drain, rates: [] }));
}

function figuresOf(all: readonly Drained[], copied: readonly number[]): Figure[] {
  const one = all.find(({ writers }) => writers === 1)!;
  return all
    .filter(({ batchEvents }) => batchEvents === DEFAULT_EVENTS)
    .flatMap((drained): Figure[] => {
      const { writers, concurrency, rates: ours } = drained;
      const transactions = concurrency === 1 ? 'one transaction' : `${concurrency} transactions`;
      const name = writers === 1 ? `one writer, ${transactions}` : `${writers} writers, ${transactions} each`;
      const variants = largerOf(all, drained);
      const against = (peer: string, theirs: readonly number[], goal: Goal | null): Figure => ({
        name,
        unit: 'events/s',
        ours,
        against: peer,
        theirs,
        goal,
        ...(variants.length > 0 && { variants }),
      });
      const goal: Goal | null = writers === 2 ? { of: 'ratio', bound: 'least', value: 1.7 } : null;
      return [
        ...(drained === one ? [] : [against('one writer, one transaction', one.rates, goal)]),
        against(`bare COPY, ${COPY_CONNECTIONS} connections`, copied, null),
      ];
    });
}

/** What the same writers stored with larger transactions; nothing for writers that were not measured with them. */
function largerOf(all: readonly Drained[], { writers, concurrency }: Drained): Variant[] {
  return all
    .filter((other) => other.writers === writers && other.concurrency === concurrency)
    .filter(({ batchEvents }) => batchEvents > DEFAULT_EVENTS)
    .map(({ batchEvents, rates }) => ({
      name: `transactions of ${batchEvents.toLocaleString('en')}`,
      ours: rates,
    }));
}

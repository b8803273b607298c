import { Client } from 'pg';
import type { BenchOptions } from '../bench-options.ts';
import type { Figure } from '../figure.ts';
import { COPY_CONNECTIONS, startBareCopy } from '../load/bare-copy.ts';
import { emptyTables } from '../load/empty-tables.ts';
import { inTurn } from '../load/in-turn.ts';
import { makeDatabase } from '../load/make-database.ts';
import { measureDrain } from '../load/measure-drain.ts';
import { type SuiteContext, withServers } from '../with-servers.ts';
import type { LoadResults } from './load-results.ts';

/** With more writers, two to four cores are full. */
const MOST_WRITERS = { full: 6, quick: 2 };

/** Measures how storing grows with writers, each with one transaction at a time. */
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
    const mostWriters = MOST_WRITERS[options.quick ? 'quick' : 'full'];
    const rates: number[][] = Array.from({ length: mostWriters }, () => []);
    const copied: number[] = [];
    for (let round = 1; round <= options.rounds; round += 1) {
      const counts = Array.from({ length: mostWriters }, (_, at) => at + 1);
      for (const writers of inTurn(counts, round)) {
        progress.line(`round ${round} of ${options.rounds}: writers at work: ${writers}`);
        await emptyTables(db);
        const drain = { namespace: 'drained', databaseUrl, events, writers, concurrency: 1 };
        rates[writers - 1]!.push((await measureDrain(drain, around)).eventsPerSecond);
      }
      await emptyTables(db);
      copied.push(await copy.measure({ events, seconds: null }, signal));
    }
    const figures = rates.flatMap((ours, at): Figure[] => {
      const writers = at + 1;
      const name = writers === 1 ? 'one writer, one transaction' : `${writers} writers, one transaction each`;
      const figure = { name, unit: 'events/s', ours };
      const goal = { of: 'ratio', bound: 'least', value: 1.6 } as const;
      return [
        ...(writers === 1
          ? []
          : [{ ...figure, against: 'one writer', theirs: rates[0]!, goal: writers === 2 ? goal : null }]),
        { ...figure, against: `bare COPY, ${COPY_CONNECTIONS} connections`, theirs: copied, goal: null },
      ];
    });
    return { figures, notes: [] };
  });
}

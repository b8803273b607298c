import { Client } from 'pg';
import type { BenchOptions } from '../bench-options.ts';
import { emptyTables } from '../load/empty-tables.ts';
import { REFUSED_TYPE } from '../load/fill-stream.ts';
import { inTurn } from '../load/in-turn.ts';
import { makeDatabase } from '../load/make-database.ts';
import { measureDrain } from '../load/measure-drain.ts';
import { type SuiteContext, withServers } from '../with-servers.ts';
import type { LoadResults } from './load-results.ts';

/** Events of one transaction, the writer's default. */
const BATCH = 500;

/** Of batches of 500: what is bad in each, and which part of the clean rate remains. */
const KINDS = [
  { name: 'nothing bad', isBad: () => false, least: null },
  { name: 'one bad event in each batch of 500', isBad: (number: number) => number % BATCH === BATCH / 2, least: 0.5 },
  { name: 'all events bad', isBad: () => true, least: 0.2 },
];

/** Measures what remains of the rate when the table refuses events, with one writer that has one transaction at a time. */
export async function runPoison(options: BenchOptions, context: SuiteContext): Promise<LoadResults> {
  const { progress } = context;
  return withServers(context, [], async ({ stack, around, running }) => {
    const databaseUrl = await makeDatabase(stack.databaseUrl, 'poisoned', 'sluice');
    const db = new Client({ connectionString: databaseUrl });
    await db.connect();
    running.defer(() => db.end());
    await refuse(db);
    const rates: number[][] = KINDS.map(() => []);
    for (let round = 1; round <= options.rounds; round += 1) {
      for (const kind of inTurn(KINDS, round)) {
        progress.line(`round ${round} of ${options.rounds}: ${kind.name}`);
        await emptyTables(db);
        await db.query('TRUNCATE dead_letters');
        const drain = { namespace: 'poisoned', databaseUrl, events: options.events, writers: 1, concurrency: 1 };
        const { eventsPerSecond } = await measureDrain({ ...drain, isBad: kind.isBad }, around);
        rates[KINDS.indexOf(kind)]!.push(eventsPerSecond);
      }
    }
    const [clean] = rates;
    const figures = KINDS.slice(1).map(({ name, least }, at) => ({
      name,
      unit: 'events/s',
      ours: rates[at + 1]!,
      against: KINDS[0]!.name,
      theirs: clean!,
      goal: least === null ? null : ({ of: 'ratio', bound: 'least', value: least } as const),
    }));
    return { figures, notes: [] };
  });
}

/** Makes the table refuse events of REFUSED_TYPE as a value that cannot be stored. Good events pay for the trigger too. */
async function refuse(db: Client): Promise<void> {
  await db.query(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NEW.event_type = '${REFUSED_TYPE}' THEN RAISE EXCEPTION 'refused' USING ERRCODE = '22023'; END IF;
      RETURN NEW;
    END $$`);
  await db.query('CREATE TRIGGER refuse BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION refuse()');
}

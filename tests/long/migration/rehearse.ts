import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { type Client, startNewWriter, startOldWriter, startReader } from './clients.ts';
import { migrateKilled, oneLine, prepareKills, removeKills } from './killed-migration.ts';
import { idOf, makeOldDatabase, type OldDatabase } from './old-database.ts';
import { type Sql, sqlOn } from './sql.ts';
import { wayBackStatements } from './way-back-statements.ts';

/** What the database says to a writer of 0.1.0 after the migration. */
const REFUSED = 'events are in segments since Sluice 0.2.0: stop this writer and start one of 0.2.0 or later';

/** Events that each writer stores at least, before and after the migration. */
const ENOUGH_STORED = 2_000;

/** Statements of a migrating process that change neither the schema nor the data. */
const NO_STEP = /^\s*(?:SELECT|SET|RESET|BEGIN|COMMIT)\b|\bsluice_migrations\b/i;

/** Where and how to rehearse. */
export interface Rehearsal {
  readonly url: string;
  /** The server's log, with the duration of each statement. */
  readonly log: string;
  readonly folder: string;
  readonly events: number;
  readonly report: (line: string) => void;
}

/** @throws what was lost, doubled or refused */
export async function rehearse({ url, log, folder, events, report }: Rehearsal): Promise<void> {
  const sql = sqlOn(url);
  const old = await makeOldDatabase(sql, url, events);
  report(`0.1.0's schema has ${events} events in ${old.partitions.length} weekly partitions, ${await size(sql)}`);
  const reader = await startReader(url, old);
  const oldWriter = await startOldWriter(url, old);
  await untilStored(oldWriter, ENOUGH_STORED);

  await prepareKills(sql);
  const kills = await migrateKilled(url, sql, { cwd: folder, check: () => mustRun(reader, 'the reader'), report });
  claim(kills.length > 30, `only ${kills.length} steps were killed`);
  await removeKills(sql);
  report(`migrated, after ${kills.length} kills; ${await size(sql)}`);

  while (oldWriter.ended() === null) await delay(20);
  const refusal = oldWriter.ended()!.message;
  claim(refusal === REFUSED, `the old writer was not refused as it should be: ${refusal}`);
  await oldWriter.stop();
  report(`the old writer stored ${oldWriter.stored.length} events and was refused: ${refusal}`);
  const newWriter = await startNewWriter(url, old, oldWriter.stored);
  await untilStored(newWriter, ENOUGH_STORED);
  mustRun(reader, 'the reader');
  await newWriter.stop();
  mustRun(newWriter, 'the new writer');
  await reader.stop();
  report(`the new writer stored ${newWriter.stored.length} events, and none of before`);
  report(`the reader read ${reader.stored.length} sessions; it waited ${Math.round(reader.longestMs())} ms at most`);
  await proveEvents(sql, old, [...oldWriter.stored, ...newWriter.stored]);
  for (const line of await durations(log)) report(line);

  await goBack(sql, report);
  await proveEvents(sql, old, [...oldWriter.stored, ...newWriter.stored]);
  const again = await startOldWriter(url, old);
  await untilStored(again, ENOUGH_STORED);
  await again.stop();
  mustRun(again, 'the old writer');
  await proveEvents(sql, old, [...oldWriter.stored, ...newWriter.stored, ...again.stored]);
  report(`after the way back, the old writer stored ${again.stored.length} events`);
}

async function goBack(sql: Sql, report: (line: string) => void): Promise<void> {
  const startedAt = performance.now();
  await sql((await wayBackStatements()).join('\n'));
  report(`the way back took ${seconds(performance.now() - startedAt)} s; ${await size(sql)}`);
}

/** Every event of before, and each of these, is there exactly once; and nothing else is. */
async function proveEvents(sql: Sql, old: OldDatabase, ids: readonly string[]): Promise<void> {
  const [found] = await sql<{ events: number; ids: number; given: number }>(
    `SELECT count(*)::int AS events, count(DISTINCT event_id)::int AS ids, count(*) FILTER (WHERE event_id = ANY($1))::int AS given
     FROM events`,
    [ids],
  );
  const { events, ids: different, given } = found!;
  const expected = old.events + ids.length;
  claim(
    events === expected && different === expected && given === ids.length,
    `${events} events with ${different} ids, ${given} of them stored meanwhile, instead of ${expected} and ${ids.length}`,
  );
  for (const n of [0, old.events - 1]) {
    const rows = await sql('SELECT FROM events WHERE event_id = $1', [idOf(n)]);
    claim(rows.length === 1, `the event number ${n} is there ${rows.length} times`);
  }
}

/** How long each statement of the migration took when it came to its end, in the order of the server's log. */
async function durations(log: string): Promise<string[]> {
  const took = new Map<string, number>();
  for (const line of (await readFile(log, 'utf8')).split('\nsluice-maintenance|').slice(1)) {
    const [, ms, text] =
      /^LOG: {2}duration: ([\d.]+) ms {2}(?:statement|execute [^:]+): ([^]*?)(?:\n\w*\S*\||$)/.exec(line) ?? [];
    if (text === undefined || NO_STEP.test(text)) continue;
    // The last time counts: it was not undone.
    took.delete(text);
    took.set(text, Number(ms));
  }
  claim(took.size > 20, `the server's log has the durations of only ${took.size} steps`);
  return [...took].map(([step, ms]) => `${(ms / 1000).toFixed(3).padStart(10)} s  ${oneLine(step)}`);
}

async function size(sql: Sql): Promise<string> {
  const [row] = await sql<{ size: string }>('SELECT pg_size_pretty(pg_database_size(current_database())) AS size');
  return row!.size;
}

async function untilStored(writer: Client, count: number): Promise<void> {
  while (writer.stored.length < count) {
    mustRun(writer, 'a writer');
    await delay(20);
  }
}

function mustRun(client: Client, name: string): void {
  const ended = client.ended();
  claim(ended === null, `${name} ended: ${ended?.message}`);
}

function claim(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new Error(otherwise);
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1);
}

import { type Kysely, sql } from 'kysely';
import type { Database } from '@sluice/store/database';
import { estimateAllEvents } from '@sluice/store/layout/estimate-events';
import type { RebuildOptions } from '@sluice/store/projection';
import { inTransaction } from '@sluice/store/transaction';
import { fold } from './fold.ts';
import { beginGeneration, lockGenerations } from './generations.ts';

/**
 * Builds the roll-ups again beside the current ones, and then replaces those in one step. The next rebuild continues an
 * interrupted one.
 *
 * @returns number of events in them
 * @throws when the signal is aborted
 */
export async function rebuildRollups(database: Database, { signal, progress }: RebuildOptions): Promise<number> {
  const { done, of } = await inTransaction(database, begin);
  const goOn = (): boolean => !signal.aborted;
  progress(done, of);
  for (let already = done; ;) {
    const folded = await fold(database, 'building', { goOn, onEvents: (events) => progress(already + events, of) });
    already += folded.events;
    signal.throwIfAborted();
    if (folded.end === 'caught_up') break;
  }
  return inTransaction(database, putInPlace);
}

/** Continues an interrupted rebuild of this cluster, or begins a new one. */
async function begin(db: Kysely<unknown>): Promise<{ done: number; of: number }> {
  await lockGenerations(db);
  await sql`
    UPDATE rollup_generations SET state = 'retired'
    WHERE state = 'building' AND system_identifier <> (SELECT system_identifier::text FROM pg_control_system())`.execute(
    db,
  );
  const generations = await lockGenerations(db);
  if (!generations.some(({ state }) => state === 'building')) await beginGeneration(db, 'building');
  const { rows } = await sql<{ done: string }>`
    SELECT events AS done FROM rollup_generations WHERE state = 'building'`.execute(db);
  return { done: Number(rows[0]!.done), of: await estimateAllEvents(db) };
}

async function putInPlace(db: Kysely<unknown>): Promise<number> {
  await lockGenerations(db);
  await sql`UPDATE rollup_generations SET state = 'retired' WHERE state = 'live'`.execute(db);
  const { rows } = await sql<{ events: string }>`
    UPDATE rollup_generations SET state = 'live' WHERE state = 'building' RETURNING events`.execute(db);
  if (rows[0] === undefined) throw new Error('another worker has put the new roll-ups in place');
  return Number(rows[0].events);
}

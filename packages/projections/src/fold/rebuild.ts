import { type Kysely, sql } from 'kysely';
import type { Database } from '@sluice/store/database';
import { estimateAllEvents } from '@sluice/store/layout/estimate-events';
import type { FoldedProjection, Projection, RebuildOptions } from '@sluice/store/projection';
import { inTransaction } from '@sluice/store/transaction';
import { fold } from './fold.ts';
import { foldedOf } from './folded-of.ts';
import { beginGeneration, lockGenerations } from './generations.ts';

/**
 * Builds all folded projections of a list again beside the current rows, and then replaces those in one step. The next
 * rebuild continues an interrupted one.
 *
 * @returns number of events in them
 * @throws when the signal is aborted
 */
export async function rebuildFolded(
  database: Database,
  projections: readonly Projection[],
  { signal, progress }: RebuildOptions,
): Promise<number> {
  const folded = foldedOf(projections);
  const { done, of } = await inTransaction(database, (db) => begin(db, folded));
  const goOn = (): boolean => !signal.aborted;
  progress(done, of);
  for (let already = done; ;) {
    const onEvents = (events: number): void => progress(already + events, of);
    const step = await fold(database, folded, 'building', { goOn, onEvents });
    already += step.events;
    signal.throwIfAborted();
    if (step.end === 'caught_up') break;
  }
  return inTransaction(database, (db) => putInPlace(db, folded));
}

/** Continues an interrupted rebuild of this cluster, or begins a new one. */
async function begin(
  db: Kysely<unknown>,
  projections: readonly FoldedProjection[],
): Promise<{ done: number; of: number }> {
  await lockGenerations(db);
  await sql`
    UPDATE rollup_generations SET state = 'retired'
    WHERE state = 'building' AND system_identifier <> (SELECT system_identifier::text FROM pg_control_system())`.execute(
    db,
  );
  const generations = await lockGenerations(db);
  if (!generations.some(({ state }) => state === 'building')) {
    await beginGeneration(db, 'building');
    for (const { rebuild } of projections) await rebuild.begin(db);
  }
  const { rows } = await sql<{ done: string }>`
    SELECT events AS done FROM rollup_generations WHERE state = 'building'`.execute(db);
  return { done: Number(rows[0]!.done), of: await estimateAllEvents(db) };
}

async function putInPlace(db: Kysely<unknown>, projections: readonly FoldedProjection[]): Promise<number> {
  await lockGenerations(db);
  await sql`UPDATE rollup_generations SET state = 'retired' WHERE state = 'live'`.execute(db);
  const { rows } = await sql<{ events: string }>`
    UPDATE rollup_generations SET state = 'live' WHERE state = 'building' RETURNING events`.execute(db);
  if (rows[0] === undefined) throw new Error('another worker has put the new roll-ups in place');
  for (const { rebuild } of projections) await rebuild.replace(db);
  return Number(rows[0].events);
}

import { type Kysely, sql } from 'kysely';
import type { Database } from '@sluice/store/database';
import { lockNextBlock, noteCleared } from '@sluice/store/layout/expiring-segments';
import { inTransaction } from '@sluice/store/transaction';
import { goneFrom } from './gone-from.ts';
import { UNSTORED_COLUMNS, unstoreEvents } from './unstore-events.ts';

/**
 * Removes the events of a detached segment from the projections. Nothing writes to the segment any more, so it is read block
 * by block. Each batch commits how far it came, and a later call continues from there.
 *
 * @returns how many events this call removed
 * @throws when the signal is aborted
 */
export async function clearSegment(
  database: Database,
  segment: { readonly relation: string; readonly keepers: readonly string[] },
  run: { signal: AbortSignal; onEvents: (events: number) => void },
): Promise<number> {
  let cleared = 0;
  for (;;) {
    run.signal.throwIfAborted();
    const events = await inTransaction(database, (db) => clearBlocks(db, segment));
    if (events === null) return cleared;
    cleared += events;
    run.onEvents(events);
  }
}

/** Blocks of 8 KiB in one transaction: of real events 1,000 to 3,000. */
const BLOCKS = 64;

/** Clears the next blocks. @returns the number of their events; null when there is no further block */
async function clearBlocks(
  db: Kysely<unknown>,
  segment: { readonly relation: string; readonly keepers: readonly string[] },
): Promise<number | null> {
  const { relation } = segment;
  const { next: first, blocks } = await lockNextBlock(db, relation);
  if (first >= blocks) return null;
  const end = first + BLOCKS;
  const events = await unstoreEvents(
    db,
    sql`SELECT ${UNSTORED_COLUMNS} FROM ${sql.table(relation)}
        WHERE ctid >= ${`(${first},0)`}::tid AND ctid < ${`(${end},0)`}::tid AND ${goneFrom(segment)}`,
  );
  await noteCleared(db, relation, end, events);
  return events;
}

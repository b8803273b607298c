import { type Kysely, sql } from 'kysely';
import type { Database } from '@sluice/store/database';
import { lockNextBlock, noteCleared } from '@sluice/store/layout/expiring-partitions';
import { inTransaction } from '@sluice/store/transaction';
import { UNSTORED_COLUMNS, unstoreEvents } from './unstore-events.ts';

/**
 * Removes all events of a detached partition from the ledger and the roll-ups. Nothing writes to the partition any
 * more, so it is read block by block. Each batch commits how far it came, and a later call continues from there.
 *
 * @returns how many events this call removed
 * @throws when the signal is aborted
 */
export async function clearPartition(
  database: Database,
  name: string,
  run: { signal: AbortSignal; onEvents: (events: number) => void },
): Promise<number> {
  let cleared = 0;
  for (;;) {
    run.signal.throwIfAborted();
    const events = await inTransaction(database, (db) => clearBlocks(db, name));
    if (events === null) return cleared;
    cleared += events;
    run.onEvents(events);
  }
}

/** Blocks of 8 KiB in one transaction: of real events 1,000 to 3,000. */
const BLOCKS = 64;

/** Clears the next blocks. @returns the number of their events; null when there is no further block */
async function clearBlocks(db: Kysely<unknown>, name: string): Promise<number | null> {
  const { next: first, blocks } = await lockNextBlock(db, name);
  if (first >= blocks) return null;
  const end = first + BLOCKS;
  const events = await unstoreEvents(
    db,
    sql`SELECT ${UNSTORED_COLUMNS} FROM ${sql.table(name)}
        WHERE ctid >= ${`(${first},0)`}::tid AND ctid < ${`(${end},0)`}::tid`,
  );
  await noteCleared(db, name, end, events);
  return events;
}

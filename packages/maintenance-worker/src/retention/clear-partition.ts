import { type Kysely, sql } from 'kysely';
import { inTransaction } from '@sluice/store/transaction';
import type { Database } from '@sluice/store/database';
import { UNSTORED_COLUMNS, unstoreEvents } from './unstore-events.ts';

/** Blocks of 8 KiB in one transaction: of real events 1,000 to 3,000. */
const BLOCKS = 64;

/**
 * Takes all events of a detached partition out of the ledger and the roll-ups. Nobody writes to it any more, so it is
 * read block by block; how far that is, is committed with each batch, and a later call goes on from there.
 *
 * @returns how many events this call took out
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

/** @returns null when there is no further block */
async function clearBlocks(db: Kysely<unknown>, name: string): Promise<number | null> {
  const { rows } = await sql<{ next: string; blocks: string }>`
    SELECT next_block AS next, pg_relation_size(${name}::regclass) / current_setting('block_size')::int AS blocks
    FROM expiring_partitions WHERE name = ${name} FOR UPDATE`.execute(db);
  const [first, blocks] = [Number(rows[0]!.next), Number(rows[0]!.blocks)];
  if (first >= blocks) return null;
  const end = first + BLOCKS;
  const events = await unstoreEvents(
    db,
    sql`SELECT ${UNSTORED_COLUMNS} FROM ${sql.table(name)}
        WHERE ctid >= ${`(${first},0)`}::tid AND ctid < ${`(${end},0)`}::tid`,
  );
  await sql`
    UPDATE expiring_partitions SET next_block = ${end}, events = events + ${events} WHERE name = ${name}`.execute(db);
  return events;
}

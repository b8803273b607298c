import { type Kysely, sql } from 'kysely';
import type { ListedPartition } from './list-partitions.ts';

/** A partition that is registered for deletion, and its state in the catalog. */
export interface ExpiringPartition {
  readonly name: string;
  readonly state: 'attached' | 'pending' | 'detached' | 'gone';
  /** Key of its verified archive's manifest. */
  readonly manifestKey: string | null;
  /** Number of events that were removed from the ledger and the roll-ups. */
  readonly events: number;
}

/** All registered partitions, oldest first. A partition that is not registered is never dropped, whatever its name is. */
export async function expiringPartitions(db: Kysely<unknown>): Promise<ExpiringPartition[]> {
  const { rows } = await sql<ExpiringPartition>`
    SELECT name, manifest_key AS "manifestKey", events::float8 AS events,
           CASE WHEN c.oid IS NULL THEN 'gone' WHEN i.inhrelid IS NULL THEN 'detached'
                WHEN i.inhdetachpending THEN 'pending' ELSE 'attached' END AS state
    FROM expiring_partitions AS e
    LEFT JOIN pg_class AS c ON c.oid = to_regclass(e.name)
    LEFT JOIN pg_inherits AS i ON i.inhrelid = c.oid AND i.inhparent = 'events'::regclass
    ORDER BY e.lower_bound`.execute(db);
  return rows;
}

/** Whether a DETACH from `events` is pending. Until it is finished, PostgreSQL detaches no other partition. */
export async function isDetachPending(db: Kysely<unknown>): Promise<boolean> {
  const { rows } = await sql<{ pending: boolean }>`
    SELECT EXISTS (SELECT FROM pg_inherits WHERE inhparent = 'events'::regclass AND inhdetachpending) AS pending`.execute(
    db,
  );
  return rows[0]!.pending;
}

/** Registers a partition for deletion, before anything is done to it. */
export async function register(db: Kysely<unknown>, { name, from, to }: ListedPartition): Promise<void> {
  await sql`
    INSERT INTO expiring_partitions (name, lower_bound, upper_bound) VALUES (${name}, ${from}, ${to})
    ON CONFLICT (name) DO NOTHING`.execute(db);
}

/** Notes the manifest of a verified archive. */
export async function noteArchived(db: Kysely<unknown>, name: string, manifestKey: string): Promise<void> {
  await sql`UPDATE expiring_partitions SET manifest_key = ${manifestKey} WHERE name = ${name}`.execute(db);
}

/**
 * Progress of clearing a partition: its next block, and how many blocks it has. Locks its note until the transaction
 * ends.
 */
export async function lockNextBlock(db: Kysely<unknown>, name: string): Promise<{ next: number; blocks: number }> {
  const { rows } = await sql<{ next: string; blocks: string }>`
    SELECT next_block AS next, pg_relation_size(${name}::regclass) / current_setting('block_size')::int AS blocks
    FROM expiring_partitions WHERE name = ${name} FOR UPDATE`.execute(db);
  return { next: Number(rows[0]!.next), blocks: Number(rows[0]!.blocks) };
}

/** Notes that every block before `next` is cleared, and how many events those held since the last note. */
export async function noteCleared(db: Kysely<unknown>, name: string, next: number, events: number): Promise<void> {
  await sql`
    UPDATE expiring_partitions SET next_block = ${next}, events = events + ${events} WHERE name = ${name}`.execute(db);
}

/** Deletes everything that is noted about a partition. */
export async function forget(db: Kysely<unknown>, name: string): Promise<void> {
  await sql`
    WITH kept AS (DELETE FROM kept_partitions WHERE name = ${name})
    DELETE FROM expiring_partitions WHERE name = ${name}`.execute(db);
}

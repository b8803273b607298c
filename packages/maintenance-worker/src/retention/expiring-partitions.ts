import { type Kysely, sql } from 'kysely';
import type { ListedPartition } from '@sluice/store/layout/list-partitions';

/** A registered partition, and how far the catalog says it is. */
export interface ExpiringPartition {
  readonly name: string;
  readonly state: 'attached' | 'pending' | 'detached' | 'gone';
  /** Of its verified archive. */
  readonly manifestKey: string | null;
  /** How many events were taken out of ledger and roll-ups. */
  readonly events: number;
}

/** All that are registered, the oldest first. Nothing that is not registered is ever dropped, whatever its name is. */
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

/** Whether some partition is on its way out of `events`; until it is, PostgreSQL detaches no other. */
export async function isDetachPending(db: Kysely<unknown>): Promise<boolean> {
  const { rows } = await sql<{ pending: boolean }>`
    SELECT EXISTS (SELECT FROM pg_inherits WHERE inhparent = 'events'::regclass AND inhdetachpending) AS pending`.execute(
    db,
  );
  return rows[0]!.pending;
}

/** Notes that a partition is to go, before anything is done to it. */
export async function register(db: Kysely<unknown>, { name, from, to }: ListedPartition): Promise<void> {
  await sql`
    INSERT INTO expiring_partitions (name, lower_bound, upper_bound) VALUES (${name}, ${from}, ${to})
    ON CONFLICT (name) DO NOTHING`.execute(db);
}

/** Ends the note, and what was kept about the partition beside it. */
export async function forget(db: Kysely<unknown>, name: string): Promise<void> {
  await sql`
    WITH kept AS (DELETE FROM kept_partitions WHERE name = ${name})
    DELETE FROM expiring_partitions WHERE name = ${name}`.execute(db);
}

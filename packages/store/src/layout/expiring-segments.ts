import { type Kysely, sql } from 'kysely';
import { WEEKLY_PARENT } from './segment-table.ts';

/** A segment that is registered for deletion, and its state in the catalog. */
export interface ExpiringSegment {
  readonly relation: string;
  readonly state: 'attached' | 'pending' | 'detached' | 'gone';
  /** Tenants whose events a rewritten segment has taken over: what is left of them here counts for nothing. */
  readonly keepers: readonly string[];
  /** Key of its verified archive's manifest. */
  readonly manifestKey: string | null;
  /** Number of events that were removed from the projections. */
  readonly events: number;
}

/** All registered segments, those registered first come first. One that is not registered is never dropped, whatever its name is. */
export async function expiringSegments(db: Kysely<unknown>): Promise<ExpiringSegment[]> {
  const { rows } = await sql<ExpiringSegment>`
    SELECT relation, keepers, manifest_key AS "manifestKey", events::float8 AS events,
           CASE WHEN c.oid IS NULL THEN 'gone' WHEN i.inhrelid IS NULL THEN 'detached'
                WHEN i.inhdetachpending THEN 'pending' ELSE 'attached' END AS state
    FROM expiring_segments AS e
    LEFT JOIN pg_class AS c ON c.oid = to_regclass(e.relation)
    LEFT JOIN pg_inherits AS i ON i.inhrelid = c.oid
    ORDER BY e.started_at, e.relation`.execute(db);
  return rows;
}

/** Whether a DETACH of a segment is pending. Until it is finished, PostgreSQL detaches no other one of the same table. */
export async function isDetachPending(db: Kysely<unknown>): Promise<boolean> {
  const { rows } = await sql<{ pending: boolean }>`
    SELECT EXISTS (SELECT FROM pg_inherits
                   WHERE inhparent IN ('events'::regclass, to_regclass(${WEEKLY_PARENT})) AND inhdetachpending) AS pending`.execute(
    db,
  );
  return rows[0]!.pending;
}

/** Registers a segment for deletion, before anything is done to it. */
export async function register(db: Kysely<unknown>, relation: string): Promise<void> {
  await sql`
    WITH expiring AS (UPDATE segments SET state = 'expiring' WHERE relation = ${relation})
    INSERT INTO expiring_segments (relation) VALUES (${relation}) ON CONFLICT DO NOTHING`.execute(db);
}

/** Notes the manifest of a verified archive. */
export async function noteArchived(db: Kysely<unknown>, relation: string, manifestKey: string): Promise<void> {
  await sql`UPDATE expiring_segments SET manifest_key = ${manifestKey} WHERE relation = ${relation}`.execute(db);
}

/**
 * Progress of clearing a segment: its next block, and how many blocks it has. Locks its note until the transaction ends.
 */
export async function lockNextBlock(db: Kysely<unknown>, relation: string): Promise<{ next: number; blocks: number }> {
  const { rows } = await sql<{ next: string; blocks: string }>`
    SELECT next_block AS next, pg_relation_size(${relation}::regclass) / current_setting('block_size')::int AS blocks
    FROM expiring_segments WHERE relation = ${relation} FOR UPDATE`.execute(db);
  return { next: Number(rows[0]!.next), blocks: Number(rows[0]!.blocks) };
}

/** Notes that every block before `next` is cleared, and how many events those held since the last note. */
export async function noteCleared(db: Kysely<unknown>, relation: string, next: number, events: number): Promise<void> {
  await sql`
    UPDATE expiring_segments SET next_block = ${next}, events = events + ${events} WHERE relation = ${relation}`.execute(
    db,
  );
}

/** Deletes everything that is noted about a segment whose table is gone. */
export async function forget(db: Kysely<unknown>, relation: string): Promise<void> {
  await sql`
    WITH gone AS (DELETE FROM segments WHERE relation = ${relation})
    DELETE FROM expiring_segments WHERE relation = ${relation}`.execute(db);
}

/** Takes a segment out of the register that is still attached: it is judged again. */
export async function unregister(db: Kysely<unknown>, relation: string): Promise<void> {
  await sql`
    WITH attached AS (UPDATE segments SET state = 'sealed' WHERE relation = ${relation} AND state = 'expiring')
    DELETE FROM expiring_segments WHERE relation = ${relation}`.execute(db);
}

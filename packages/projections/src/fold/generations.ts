import { type Kysely, sql } from 'kysely';
import { earliestOpenStart } from '@sluice/store/fence/observe-transactions';
import { ROLLUP_LOCK } from '@sluice/store/rollup-lock';

/**
 * A set of folded rows and its position, which all folded projections share. An event is in it when its `tx` is below `tx`,
 * or its `stored_at` is before `floor`.
 */
export interface Generation {
  readonly generation: number;
  readonly state: 'building' | 'live';
  readonly systemIdentifier: string;
  readonly tx: string;
  /** As text: it only goes back to Postgres. */
  readonly floor: string;
}

/**
 * Reads the generations in use, and locks them until the end of the transaction. Every transaction that changes folded rows
 * or their positions, or deletes events that may be in them, calls this first. It takes an advisory lock and not row locks,
 * because the lock must also hold before there is any row.
 */
export async function lockGenerations(db: Kysely<unknown>): Promise<Generation[]> {
  await sql`SELECT pg_advisory_xact_lock(${ROLLUP_LOCK.toString()}::bigint)`.execute(db);
  const { rows } = await sql<Generation>`
    SELECT generation, state, system_identifier AS "systemIdentifier", tx::text, floor::text
    FROM rollup_generations WHERE state <> 'retired' ORDER BY generation`.execute(db);
  return rows;
}

/** Begins an empty generation before the oldest event. The caller holds the lock. */
export async function beginGeneration(db: Kysely<unknown>, state: Generation['state']): Promise<void> {
  const floor = await beforeAllEvents(db);
  await sql`
    INSERT INTO rollup_generations (generation, state, system_identifier, tx, floor, folded_at)
    SELECT (SELECT coalesce(max(generation), 0) + 1 FROM rollup_generations), ${state},
           (SELECT system_identifier::text FROM pg_control_system()), '0', ${floor}::timestamptz, now()`.execute(db);
}

/** A time before which no event was stored, also none of a transaction that is still open; as text. */
async function beforeAllEvents(db: Kysely<unknown>): Promise<string> {
  // First this: what commits afterwards was open now, or begins later.
  const open = await earliestOpenStart(db);
  // Sealed segments and weekly partitions have bounds.
  const { rows: unsealed } = await sql<{ first: number | null }>`
    SELECT min(segment_from) AS first FROM segments WHERE stored_from IS NULL`.execute(db);
  const { rows } = await sql<{ floor: string }>`
    SELECT least(${open ?? 'epoch'}::timestamptz, (SELECT min(stored_from) FROM segments),
                 (SELECT min(stored_at) FROM events WHERE segment >= ${unsealed[0]!.first}::integer))::text AS floor`.execute(
    db,
  );
  return rows[0]!.floor;
}

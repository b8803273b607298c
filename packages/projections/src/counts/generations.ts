import { type Kysely, sql } from 'kysely';
import { listPartitions } from '@sluice/store/layout/list-partitions';

/**
 * A set of roll-ups and its position. An event is in it when its `tx` is below `tx`, or its `stored_at` is before
 * `floor`.
 */
export interface Generation {
  readonly generation: number;
  readonly state: 'building' | 'live';
  readonly systemIdentifier: string;
  readonly tx: string;
  /** As text: it only goes back to Postgres. */
  readonly floor: string;
}

/** Key of the advisory lock for changing roll-ups: "sluicer" in ASCII, as one number. */
const ROLLUP_LOCK = 0x736c7569636572n;

/**
 * Reads the generations in use, and locks them until the end of the transaction. Every transaction that changes roll-ups
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

/** Begins an empty generation at the oldest partition. The caller holds the lock. */
export async function beginGeneration(db: Kysely<unknown>, state: Generation['state']): Promise<void> {
  const [oldest] = await listPartitions(db);
  await sql`
    INSERT INTO rollup_generations (generation, state, system_identifier, tx, floor, folded_at)
    SELECT (SELECT coalesce(max(generation), 0) + 1 FROM rollup_generations), ${state},
           (SELECT system_identifier::text FROM pg_control_system()), '0', floor, now()
    FROM (SELECT coalesce(${oldest?.from ?? null}::timestamptz, now())) AS o (floor)`.execute(db);
}

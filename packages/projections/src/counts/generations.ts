import { type Kysely, sql } from 'kysely';
import { listPartitions } from '@sluice/store/layout/list-partitions';

/**
 * A set of roll-ups and how far it has come. An event is in it when its `tx` is below `tx` or its `stored_at` before
 * `floor`.
 */
export interface Generation {
  readonly generation: number;
  readonly state: 'building' | 'live';
  readonly systemIdentifier: string;
  readonly tx: string;
  /** As text: it is only ever handed back to Postgres. */
  readonly floor: string;
}

/** Key of the advisory lock for changing roll-ups: "sluicer" in ASCII, as one number. */
const ROLLUP_LOCK = 0x736c7569636572n;

/**
 * The generations that are in use. Until the end of the transaction no other one changes roll-ups or their positions:
 * every transaction that does, or deletes events that may be in them, calls this first. An advisory lock and not the rows, because it
 * must also hold before there is any.
 */
export async function lockGenerations(db: Kysely<unknown>): Promise<Generation[]> {
  await sql`SELECT pg_advisory_xact_lock(${ROLLUP_LOCK.toString()}::bigint)`.execute(db);
  const { rows } = await sql<Generation>`
    SELECT generation, state, system_identifier AS "systemIdentifier", tx::text, floor::text
    FROM rollup_generations WHERE state <> 'retired' ORDER BY generation`.execute(db);
  return rows;
}

/** Begins a generation in which nothing is yet; it starts at the oldest partition. Locked by the caller. */
export async function beginGeneration(db: Kysely<unknown>, state: Generation['state']): Promise<void> {
  const [oldest] = await listPartitions(db);
  await sql`
    INSERT INTO rollup_generations (generation, state, system_identifier, tx, floor, folded_at)
    SELECT (SELECT coalesce(max(generation), 0) + 1 FROM rollup_generations), ${state},
           (SELECT system_identifier::text FROM pg_control_system()), '0', floor, now()
    FROM (SELECT coalesce(${oldest?.from ?? null}::timestamptz, now())) AS o (floor)`.execute(db);
}

import { type Kysely, sql } from 'kysely';
import type { Database } from '../database.ts';
import { inTransaction } from '../transaction.ts';

/** One week of events: Monday 00:00 UTC to the next. */
export interface Partition {
  /** e.g. `events_2026w47`, by ISO 8601 week. */
  readonly name: string;
  /** Inclusive. */
  readonly from: Date;
  /** Exclusive. */
  readonly to: Date;
}

const HOUR_MS = 60 * 60 * 1000;
const DAY_MS = 24 * HOUR_MS;
const WEEK_MS = 7 * DAY_MS;

/** Longest wait for a lock while attaching a partition, in milliseconds; then the caller tries again. */
const LOCK_TIMEOUT_MS = 2_000;

/** Key of the advisory lock for making partitions: one daemon at a time. */
const PARTITION_LOCK = 0x736c75696366n;

/** The weekly partition that holds an instant. */
export function partitionOf(instant: Date): Partition {
  const midnight = Date.UTC(instant.getUTCFullYear(), instant.getUTCMonth(), instant.getUTCDate());
  const monday = midnight - ((instant.getUTCDay() + 6) % 7) * DAY_MS;
  // The ISO week belongs to the year that its Thursday is in.
  const thursday = new Date(monday + 3 * DAY_MS);
  const year = thursday.getUTCFullYear();
  const week = 1 + Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / WEEK_MS);
  return {
    name: `events_${year}w${String(week).padStart(2, '0')}`,
    from: new Date(monday),
    to: new Date(monday + WEEK_MS),
  };
}

/** Names of the partitions that may still be written: this week's, and last week's until one hour after its end. */
export function hotPartitions(now: Date): string[] {
  return [...new Set([partitionOf(now).name, partitionOf(new Date(now.getTime() - HOUR_MS)).name])];
}

/**
 * Makes the missing partitions of the current week and of the `ahead` weeks after it.
 *
 * A partition is created as a separate table and then attached. `CREATE TABLE … PARTITION OF` would wait for an open
 * reader of the parent, and every writer would wait for it; ATTACH does not.
 *
 * @returns names of the partitions that this call made
 */
export async function makePartitions(database: Database, now: Date, ahead: number): Promise<string[]> {
  const wanted = Array.from({ length: ahead + 1 }, (_, week) => partitionOf(new Date(now.getTime() + week * WEEK_MS)));
  const made: string[] = [];
  for (const partition of wanted) {
    const created = await inTransaction(database, async (db) => {
      await sql`SELECT pg_advisory_xact_lock(${PARTITION_LOCK.toString()}::bigint)`.execute(db);
      return attach(db, partition);
    });
    if (created) made.push(partition.name);
  }
  return made;
}

async function attach(db: Kysely<unknown>, partition: Partition): Promise<boolean> {
  const found = await sql<{ attached: boolean }>`
    SELECT relispartition AS attached FROM pg_class WHERE oid = to_regclass(${partition.name})`.execute(db);
  if (found.rows[0]?.attached === true) return false;
  await sql.raw(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`).execute(db);
  const table = sql.table(partition.name);
  if (found.rows.length === 0) {
    await sql`CREATE TABLE ${table} (LIKE events INCLUDING DEFAULTS INCLUDING CONSTRAINTS)`.execute(db);
  }
  const from = sql.lit(partition.from.toISOString());
  const to = sql.lit(partition.to.toISOString());
  await sql`ALTER TABLE events ATTACH PARTITION ${table} FOR VALUES FROM (${from}) TO (${to})`.execute(db);
  return true;
}

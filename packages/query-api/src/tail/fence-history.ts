import { type Kysely, sql } from 'kysely';
import { LONGEST_TRANSACTION_MS } from '@sluice/store/longest-transaction';

/** What Postgres says of its transactions at one moment. */
export interface Sighting {
  /** Every transaction below this has ended. */
  readonly fence: bigint;
  /** No transaction had this id, or a higher one, yet. */
  readonly unassigned: bigint;
  /** Every writing transaction that gets its id from now on began at or after this; milliseconds since 1970. */
  readonly begunSince: number;
  /** When it was looked at, by the server's clock; milliseconds since 1970. */
  readonly at: number;
}

/** What a backend may need between taking its start time and showing it to others, in milliseconds. */
const MARGIN_MS = 5_000;

const MAX_SIGHTINGS = 1_000;

/**
 * Looks at Postgres's transactions, on the primary.
 *
 * In two statements, and in this order: a transaction that gets its id after the second is either open at the first,
 * and then counted there, or begins after it.
 */
export async function sightTransactions(db: Kysely<unknown>): Promise<Sighting> {
  const open = await sql<{ now: string; oldest: string | null; hidden: boolean }>`
    SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::text AS now,
           floor(extract(epoch FROM min(xact_start)) * 1000)::text AS oldest,
           -- Exports read for hours and store no events. Without pg_read_all_stats, sessions of other roles show nothing but that they are there.
           coalesce(bool_or(backend_type IS NULL), false) AS hidden
    FROM pg_stat_activity WHERE datname = current_database() AND application_name <> 'sluice-maintenance'`.execute(db);
  const { now, oldest, hidden } = open.rows[0]!;
  const ids = await sql<{ fence: string; unassigned: string; replica: boolean }>`
    SELECT pg_snapshot_xmin(s)::text AS fence, pg_snapshot_xmax(s)::text AS unassigned, pg_is_in_recovery() AS replica
    FROM pg_current_snapshot() s`.execute(db);
  const { fence, unassigned, replica } = ids.rows[0]!;
  if (replica) throw new Error('committed events can only be followed on the primary; DATABASE_URL names a replica');
  const at = Number(now);
  return {
    fence: BigInt(fence),
    unassigned: BigInt(unassigned),
    begunSince: Math.max(at - LONGEST_TRANSACTION_MS, hidden ? 0 : Math.min(at, Number(oldest ?? at)) - MARGIN_MS),
    at,
  };
}

/** Remembers sightings, to know since when events of a transaction may have been stored. */
export interface FenceHistory {
  add(sighting: Sighting): void;
  /** The latest sighting before any transaction had the id `fence`; null when it was before the first one. */
  before(fence: bigint): Sighting | null;
}

/** An empty history. It forgets what lies behind the newest fence that was asked for. */
export function createFenceHistory(): FenceHistory {
  let sightings: Sighting[] = [];
  return {
    add(sighting) {
      if (sightings.at(-1)?.unassigned === sighting.unassigned) sightings.pop();
      sightings.push(sighting);
      // Behind a fence that does not move for hours, every second one will do.
      if (sightings.length > MAX_SIGHTINGS) sightings = sightings.filter((_, index) => index % 2 === 0);
    },
    before(fence) {
      const index = sightings.findLastIndex(({ unassigned }) => unassigned <= fence);
      if (index === -1) return null;
      sightings = sightings.slice(index);
      return sightings[0]!;
    },
  };
}

import type { Kysely } from 'kysely';
import { observeOpenTransactions } from '@sluice/store/fence/open-transactions';
import { LONGEST_TRANSACTION_MS } from '@sluice/store/time-limits';

/** An observation of Postgres's transactions, in numbers. */
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

/**
 * The tail's limits as an observer. A sighting is used for minutes, so five seconds of margin are enough. A transaction that
 * is open for longer than a writer's may be is taken for one that only reads: readers can ask for what they missed.
 */
const TAIL_LIMITS = { marginMs: 5_000, longestMs: LONGEST_TRANSACTION_MS };

const MAX_SIGHTINGS = 1_000;

/**
 * Observes Postgres's transactions, on the primary.
 *
 * @throws when the server is a replica
 */
export async function sightTransactions(db: Kysely<unknown>): Promise<Sighting> {
  const { endedBelow, nextTx, floor, observedAt } = await observeOpenTransactions(db, TAIL_LIMITS);
  const at = Date.parse(observedAt);
  return {
    fence: BigInt(endedBelow),
    unassigned: BigInt(nextTx),
    begunSince: floor === null ? at - LONGEST_TRANSACTION_MS : Date.parse(floor),
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

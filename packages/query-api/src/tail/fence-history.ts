import type { Kysely } from 'kysely';
import { observeOpenTransactions } from '@sluice/store/fence/open-transactions';
import { LONGEST_TRANSACTION_MS } from '@sluice/store/time-limits';

/** One observation of Postgres's transactions, as numbers. */
export interface Sighting {
  /** Every transaction below this has ended. */
  readonly fence: bigint;
  /** No transaction had this id, or a higher one, yet. */
  readonly unassigned: bigint;
  /** Every writing transaction that gets its id later began at or after this; milliseconds since 1970. */
  readonly begunSince: number;
  /** Time of the observation, by the server's clock; milliseconds since 1970. */
  readonly at: number;
}

/**
 * The limits of the tail as an observer. A sighting is used for minutes, so a margin of five seconds is enough. A
 * transaction that is open for longer than a writer's may be counts as one that only reads. If it does write after all,
 * readers can still query what they missed.
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

/** Remembers sightings, to tell the earliest time at which events of a transaction may have been stored. */
export interface FenceHistory {
  add(sighting: Sighting): void;
  /** The latest sighting before any transaction had the id `fence`; null when there is none. */
  before(fence: bigint): Sighting | null;
}

/** An empty history. It forgets what is older than the newest fence that `before` was called with. */
export function createFenceHistory(): FenceHistory {
  let sightings: Sighting[] = [];
  return {
    add(sighting) {
      if (sightings.at(-1)?.unassigned === sighting.unassigned) sightings.pop();
      sightings.push(sighting);
      // While the fence does not move for hours, every second sighting is enough.
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

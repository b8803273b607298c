import type { Kysely } from 'kysely';
import { listPartitions } from './list-partitions.ts';
import { partitionOf } from './partitions.ts';

const WEEK_MS = 7 * 24 * 60 * 60_000;

/**
 * Names of the missing partitions of this week and the next. Without this week's, writers stall; without the next week's,
 * they will.
 */
export async function missingPartitions(db: Kysely<unknown>, now: Date): Promise<string[]> {
  const there = new Set((await listPartitions(db)).filter((each) => !each.detachPending).map(({ name }) => name));
  return [now, new Date(now.getTime() + WEEK_MS)]
    .map((instant) => partitionOf(instant).name)
    .filter((name) => !there.has(name));
}

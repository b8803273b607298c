import type { Redis } from 'ioredis';
import type { RawEntry } from '@sluice/store/write/decode-entry';
import { WRITERS_GROUP } from '@sluice/stream/stream-keys';

/**
 * How often each entry has been delivered, by its id.
 *
 * @param entries pending at this consumer, in ascending order of their ids
 */
export async function deliveryCounts(
  redis: Redis,
  key: string,
  consumer: string,
  entries: readonly RawEntry[],
): Promise<ReadonlyMap<string, number>> {
  const [first, last] = [entries[0], entries.at(-1)];
  if (first === undefined || last === undefined) return new Map();
  const counts = new Map<string, number>();
  let start = first.id;
  // Other pending entries of this consumer may lie between them, so one page may end before the last one.
  for (;;) {
    const page = (await redis.xpending(key, WRITERS_GROUP, start, last.id, 1_000, consumer)) as [
      string,
      string,
      number,
      number,
    ][];
    for (const [id, , , deliveries] of page) counts.set(id, deliveries);
    if (page.length < 1_000) return counts;
    start = `(${page.at(-1)![0]}`;
  }
}

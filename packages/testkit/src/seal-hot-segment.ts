import type { Database } from '@sluice/store/database';
import { makeSegments } from '@sluice/store/layout/make-segment';
import { rotateSegment } from '@sluice/store/layout/rotate-segment';
import { sealSegment } from '@sluice/store/layout/seal-segment';
import { listSegments, type Segment } from '@sluice/store/layout/segments';

/**
 * Seals what is stored so far, and makes the next segment hot. For events of the past, insert rows with a `stored_at` first.
 *
 * @returns the sealed segment
 */
export async function sealHotSegment(database: Database): Promise<Segment> {
  const hot = await rotateHotSegment(database);
  await sealSegment(database, hot.relation, new AbortController().signal);
  return (await listSegments(database.db)).find(({ relation }) => relation === hot.relation)!;
}

/** Closes the hot segment without sealing it. */
export async function rotateHotSegment(database: Database): Promise<Segment> {
  await makeSegments(database);
  const hot = (await listSegments(database.db)).find(({ state }) => state === 'hot')!;
  while (!(await rotateSegment(database, hot.relation)));
  await makeSegments(database);
  return hot;
}

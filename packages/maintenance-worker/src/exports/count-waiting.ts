import { type Kysely, sql } from 'kysely';
import { type Fence, inWindow, segmentsInWindow } from '@sluice/store/fence/fence';
import { inSegments, type ReadableSegment } from '@sluice/store/layout/readable-segments';
import { byStoring, inGroups } from '@sluice/store/layout/walk-segments';
import { readPosition } from './fix-window.ts';

/**
 * Counts a tenant's events between its position and the fence, up to `limit`.
 *
 * A position of another cluster can't be compared with this fence. Then the answer is `limit`, so that a run starts and
 * reports the problem.
 */
export async function countWaiting(
  db: Kysely<unknown>,
  tenant: string,
  { fence, segments }: Waiting,
  limit: number,
): Promise<number> {
  const from = await readPosition(db, tenant);
  if (from !== null && from.systemIdentifier !== fence.systemIdentifier) return limit;
  let found = 0;
  for (const some of inGroups(segmentsInWindow(segments, from), byStoring)) {
    const { rows } = await sql<{ count: string }>`
      SELECT count(*) FROM (
        SELECT FROM events WHERE tenant = ${tenant} AND ${inSegments(some)} AND ${inWindow(from, fence)}
        LIMIT ${limit - found}) waiting`.execute(db);
    found += Number(rows[0]?.count ?? 0);
    if (found >= limit) break;
  }
  return found;
}

/** Up to where events wait, and where they may be. */
export interface Waiting {
  readonly fence: Fence;
  /** All segments, read with the fence or later. */
  readonly segments: readonly ReadableSegment[];
}

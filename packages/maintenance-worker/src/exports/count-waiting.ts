import { type Kysely, sql } from 'kysely';
import { type Fence, inWindow } from '@sluice/store/fence/fence';
import { readPosition } from './fix-window.ts';

/**
 * Counts a tenant's events between its position and the fence, up to `limit`.
 *
 * A position of another cluster can't be compared with this fence. Then the answer is `limit`, so that a run starts and
 * reports the problem.
 */
export async function countWaiting(db: Kysely<unknown>, tenant: string, fence: Fence, limit: number): Promise<number> {
  const from = await readPosition(db, tenant);
  if (from !== null && from.systemIdentifier !== fence.systemIdentifier) return limit;
  const { rows } = await sql<{ count: string }>`
    SELECT count(*) FROM (
      SELECT FROM events WHERE tenant = ${tenant} AND ${inWindow(from, fence)} LIMIT ${limit}) waiting`.execute(db);
  return Number(rows[0]?.count ?? 0);
}

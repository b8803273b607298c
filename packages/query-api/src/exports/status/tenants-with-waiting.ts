import { type Kysely, type RawBuilder, sql } from 'kysely';
import { segmentsInWindow } from '@sluice/store/fence/fence';
import { isoTime } from '@sluice/store/iso-time';
import { inSegments, readableSegments } from '@sluice/store/layout/readable-segments';
import { byStoring, inGroups } from '@sluice/store/layout/walk-segments';

/**
 * Finds the tenants that have an event beyond the position of their exports: in the newest segments first, where most of
 * what waits is, and in older ones only for the tenants of which nothing was found and whose position is that old. A
 * position of another cluster can't be compared: something may wait.
 *
 * @param names a query for the column `tenant`
 */
export async function tenantsWithWaiting(db: Kysely<unknown>, names: RawBuilder<unknown>): Promise<string[]> {
  const { rows } = await sql<ExportPosition>`
    SELECT tenant, tx::text, ${isoTime('floor')} AS floor, ${isoTime('base')} AS base,
           system_identifier <> (SELECT system_identifier::text FROM pg_control_system()) AS foreign
    FROM export_positions WHERE tenant IN (SELECT tenant FROM (${names}) AS n)`.execute(db);
  const waiting = rows.filter((row) => row.foreign).map(({ tenant }) => tenant);
  let open = rows.filter((row) => !row.foreign);
  for (const some of inGroups(await readableSegments(db), byStoring)) {
    const here = open.filter((position) => segmentsInWindow(some, position).length > 0);
    if (here.length === 0) continue;
    const { rows: found } = await sql<{ tenant: string }>`
      SELECT tenant FROM unnest(
        ${here.map(({ tenant }) => tenant)}::text[], ${here.map(({ tx }) => tx)}::xid8[],
        ${here.map(({ floor }) => floor)}::timestamptz[], ${here.map(({ base }) => base)}::timestamptz[]
      ) AS p (tenant, tx, floor, base)
      WHERE EXISTS (
        SELECT FROM events WHERE tenant = p.tenant AND ${inSegments(some)} AND stored_at >= p.floor
          AND (p.base IS NULL OR stored_at >= p.base) AND tx >= p.tx)`.execute(db);
    waiting.push(...found.map(({ tenant }) => tenant));
    open = open.filter(({ tenant }) => !waiting.includes(tenant));
  }
  return waiting;
}

interface ExportPosition {
  readonly tenant: string;
  readonly tx: string;
  readonly floor: string;
  readonly base: string | null;
  readonly foreign: boolean;
}

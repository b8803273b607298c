import { type Kysely, sql } from 'kysely';
import { inSegments, type ReadableSegment } from '@sluice/store/layout/readable-segments';
import { byStoring, inGroups } from '@sluice/store/layout/walk-segments';

/**
 * Finds the tenants that have events, by name: in each segment's index by jumping from one tenant to the next.
 *
 * @param options.after only names after this one
 * @returns with `since`, when one of their events was stored
 */
export async function tenantsWithEvents(
  db: Kysely<unknown>,
  segments: readonly ReadableSegment[],
  { after, limit }: { after: string; limit: number },
): Promise<TenantWithEvents[]> {
  let found: TenantWithEvents[] = [];
  for (const some of inGroups(segments, byStoring)) {
    const more = await inSome(db, some, { after, limit });
    // Postgres merges the names, because only it knows their order.
    const { rows } = await sql<TenantWithEvents>`
      SELECT tenant, min(since) AS since
      FROM unnest(${[...found, ...more].map(({ tenant }) => tenant)}::text[],
                  ${[...found, ...more].map(({ since }) => since)}::timestamptz[]) AS names (tenant, since)
      GROUP BY tenant ORDER BY tenant LIMIT ${limit}`.execute(db);
    found = rows;
  }
  return found;
}

/** A tenant, and when one of its events was stored, as Postgres writes a time. */
export interface TenantWithEvents {
  readonly tenant: string;
  readonly since: string;
}

async function inSome(
  db: Kysely<unknown>,
  segments: readonly ReadableSegment[],
  { after, limit }: { after: string; limit: number },
): Promise<TenantWithEvents[]> {
  const inThese = inSegments(segments);
  const { rows } = await sql<TenantWithEvents>`
    WITH RECURSIVE names AS (
      (SELECT tenant, stored_at FROM events WHERE tenant > ${after} AND ${inThese} ORDER BY tenant, occurred_at LIMIT 1)
      UNION ALL
      SELECT next.* FROM names CROSS JOIN LATERAL (
        SELECT tenant, stored_at FROM events WHERE tenant > names.tenant AND ${inThese}
        ORDER BY tenant, occurred_at LIMIT 1) next
    )
    SELECT tenant, stored_at AS since FROM names LIMIT ${limit}`.execute(db);
  return rows;
}

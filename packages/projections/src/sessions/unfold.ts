import { sql } from 'kysely';
import type { Unfold } from '@sluice/store/projection';
import { lockGenerations } from '../fold/generations.ts';

/** Notes for each tenant up to which `stored_at` events were deleted, so that a rebuild knows which sessions are not whole. */
export const noteDeletions: Unfold = {
  columns: [],
  async lock(db) {
    await lockGenerations(db);
  },
  collect: (events) => sql`
    SELECT coalesce(array_agg(tenant), '{}') AS tenant, coalesce(array_agg(stored_to::text), '{}') AS stored_to
    FROM (SELECT tenant, max(stored_at) + interval '1 microsecond' AS stored_to FROM (${events}) AS e GROUP BY tenant) AS d`,
  async subtract(db, collected) {
    const { tenant, stored_to: storedTo } = collected as { tenant: string[]; stored_to: string[] };
    if (tenant.length === 0) return;
    await sql`
      INSERT INTO deletion_horizons AS h (tenant, stored_to)
      SELECT * FROM unnest(${tenant}::text[], ${storedTo}::timestamptz[]) AS d ORDER BY 1
      ON CONFLICT (tenant) DO UPDATE SET stored_to = excluded.stored_to WHERE h.stored_to < excluded.stored_to`.execute(
      db,
    );
  },
};

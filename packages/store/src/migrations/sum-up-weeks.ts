import { sql } from 'kysely';
import { ROLLUP_LOCK } from '../rollup-lock.ts';
import { withoutTimeouts } from '../without-timeouts.ts';
import type { OnlineStep } from './migration.ts';

/**
 * Fills the roll-ups by week from those by day, which takes minutes for years of them. Folds of this version begin after the
 * migration, and those of 0.1.0 are refused, so the days do not change meanwhile.
 */
export const sumUpWeeks: OnlineStep = async (database, client) => {
  await withoutTimeouts(database, client, () =>
    database
      .on(client)
      .transaction()
      .execute(async (db) => {
        await sql`SELECT pg_advisory_xact_lock(${ROLLUP_LOCK.toString()}::bigint)`.execute(db);
        await sql`
          INSERT INTO rollup_weeks (generation, tenant, dimension, bucket, value, events)
          SELECT generation, tenant, dimension, date_bin('7 days', bucket, '1970-01-05 00:00Z'), value, sum(events)
          FROM rollup_days GROUP BY 1, 2, 3, 4, 5
          ON CONFLICT (generation, tenant, dimension, bucket, value) DO UPDATE SET events = excluded.events`.execute(
          db,
        );
      }),
  );
};

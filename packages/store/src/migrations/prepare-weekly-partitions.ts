import { sql } from 'kysely';
import { withoutTimeouts } from '../without-timeouts.ts';
import { buildIndex } from './build-index.ts';
import type { OnlineStep } from './migration.ts';

/**
 * Builds what 0009 needs, while daemons of 0.1.0 write: a unique index on the id in each weekly partition, because the
 * ledger goes, and the proof that `segment` is 0 in every row, which saves ATTACH a scan under an exclusive lock.
 */
export const prepareWeeklyPartitions: OnlineStep = async (database, client) => {
  const db = database.on(client);
  const { rows: partitions } = await sql<{ name: string }>`
    SELECT c.relname AS name FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
    WHERE i.inhparent = to_regclass('events') AND c.relkind = 'r' ORDER BY 1`.execute(db);
  for (const { name } of partitions)
    await buildIndex(database, client, {
      name: `${name}_id`,
      definition: `ON "${name}" (event_id, tenant)`,
      unique: true,
    });
  const { rows: open } = await sql`
    SELECT FROM pg_constraint
    WHERE conrelid = to_regclass('events') AND conname = 'events_before_segments' AND NOT convalidated`.execute(db);
  if (open.length === 0) return;
  await withoutTimeouts(database, client, async () => {
    await sql`ALTER TABLE events VALIDATE CONSTRAINT events_before_segments`.execute(db);
  });
};

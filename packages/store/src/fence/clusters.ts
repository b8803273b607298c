import { type Kysely, sql } from 'kysely';

/** Notes the cluster that holds the data, if none was noted before. */
export async function noteFirstCluster(db: Kysely<unknown>): Promise<void> {
  await sql`
    INSERT INTO fence_clusters (system_identifier)
    SELECT system_identifier::text FROM pg_control_system()
    WHERE NOT EXISTS (SELECT FROM fence_clusters)`.execute(db);
}

/** The cluster that held the data at the last check; null before the first check. */
export async function knownCluster(db: Kysely<unknown>): Promise<string | null> {
  const { rows } = await sql<{ system_identifier: string }>`
    SELECT system_identifier FROM fence_clusters ORDER BY id DESC LIMIT 1`.execute(db);
  return rows[0]?.system_identifier ?? null;
}

/** Notes that another cluster holds the data now. Rows stored before `base` came with it. */
export async function noteCluster(db: Kysely<unknown>, systemIdentifier: string, base: string): Promise<void> {
  await sql`
    INSERT INTO fence_clusters (system_identifier, base) VALUES (${systemIdentifier}, ${base}::timestamptz)`.execute(
    db,
  );
}

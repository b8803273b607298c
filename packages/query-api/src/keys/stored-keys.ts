import { type Kysely, sql } from 'kysely';
import type { StoredKey } from '@sluice/access/stored-keys';

/** Every key that is neither revoked nor expired. */
export async function goodKeys(db: Kysely<unknown>): Promise<StoredKey[]> {
  const { rows } = await sql<StoredKey>`
    SELECT id, name, digest, scopes, tenant, (extract(epoch FROM expires_at) * 1000)::float8 AS "expiresAt",
           requests_per_minute AS "requestsPerMinute", events_per_second AS "eventsPerSecond"
    FROM api_keys WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())`.execute(db);
  return rows;
}

/**
 * Notes when keys were used last, at most once a minute for each, so that a busy key is not an UPDATE every few
 * seconds. Rows are locked in the order of their ids: several query APIs do this.
 *
 * @param uses milliseconds by id
 */
export async function noteUses(db: Kysely<unknown>, uses: ReadonlyMap<string, number>): Promise<void> {
  await sql`
    WITH uses AS (
      SELECT id, least(now(), to_timestamp(ms / 1000)) AS at
      FROM unnest(${[...uses.keys()]}::text[], ${[...uses.values()]}::float8[]) AS u (id, ms)
    ), stale AS (
      SELECT k.id, u.at FROM api_keys k JOIN uses u ON u.id = k.id
      WHERE k.last_used_at IS NULL OR k.last_used_at < u.at - interval '1 minute'
      ORDER BY k.id FOR UPDATE OF k SKIP LOCKED
    )
    UPDATE api_keys k SET last_used_at = s.at FROM stale s WHERE k.id = s.id`.execute(db);
}

import { type Kysely, sql } from 'kysely';
import type { NewKey } from '@sluice/access/api-key';
import type { Scope } from '@sluice/access/scopes';
import { noteAction } from '../audit/commands.ts';
import { ownedBy } from '../sql/owned-by.ts';
import type { Principal } from '@sluice/access/principal';
import { findKey, KEY_COLUMNS, type ListedKey } from './rows.ts';

/** What somebody wants of a new key. */
export interface WantedKey {
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly tenant: string | null;
  readonly expiresAt: string | null;
  readonly requestsPerMinute: number | null;
  readonly eventsPerSecond: number | null;
}

/** Writes a key down, as its hash, with its note in the audit log, inside the caller's transaction. */
export async function createKey(
  db: Kysely<unknown>,
  { id, digest }: NewKey,
  wanted: WantedKey,
  operator: Principal,
): Promise<ListedKey> {
  const { name, scopes, tenant, expiresAt } = wanted;
  const { rows } = await sql<ListedKey>`
    INSERT INTO api_keys (id, digest, name, scopes, tenant, expires_at, requests_per_minute, events_per_second, created_by)
    VALUES (${id}, ${digest}, ${name}, ${[...scopes]}::text[], ${tenant}, ${expiresAt}::timestamptz,
            ${wanted.requestsPerMinute}, ${wanted.eventsPerSecond}, ${operator.name})
    RETURNING ${KEY_COLUMNS}`.execute(db);
  await noteAction(db, operator, {
    action: 'keys.create',
    affected: 1,
    details: { key_id: id, name, scopes, tenant, expires_at: expiresAt },
  });
  return rows[0]!;
}

/**
 * Ends a key, with its note in the audit log. One that has ended already stays as it is.
 *
 * @throws ApiError `not_found`, also for one of another tenant
 */
export async function revokeKey(db: Kysely<unknown>, id: string, operator: Principal): Promise<ListedKey> {
  const { rows: ended } = await sql<{ name: string; tenant: string | null }>`
    UPDATE api_keys SET revoked_at = now() WHERE id = ${id} AND revoked_at IS NULL AND ${ownedBy(operator)}
    RETURNING name, tenant`.execute(db);
  for (const { name, tenant } of ended) {
    await noteAction(db, operator, { action: 'keys.revoke', affected: 1, details: { key_id: id, name, tenant } });
  }
  return findKey(db, id, operator);
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

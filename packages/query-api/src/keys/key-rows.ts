import { type Kysely, type RawBuilder, type SqlBool, sql } from 'kysely';
import type { NewKey } from '@sluice/access/api-key';
import type { Scope } from '@sluice/access/scopes';
import { ApiError } from '@sluice/errors/api-errors';
import type { Operator } from './operator-keys.ts';
import { noteAction } from '../audit/audit.ts';
import { utc } from '../http/utc.ts';

/** A key as the API tells of it: everything but the key. */
export interface ListedKey {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly tenant: string | null;
}

/** What somebody wants of a new key. */
export interface WantedKey {
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly tenant: string | null;
  readonly expiresAt: string | null;
  readonly requestsPerMinute: number | null;
  readonly eventsPerSecond: number | null;
}

const COLUMNS = sql`
  id, name, scopes, tenant, requests_per_minute, events_per_second, created_by, ${utc('created_at')}, ${utc('expires_at')},
  ${utc('last_used_at')}, ${utc('revoked_at')}`;

/** Writes a key down, as its hash, with its note in the audit log, inside the caller's transaction. */
export async function createKey(
  db: Kysely<unknown>,
  { id, digest }: NewKey,
  wanted: WantedKey,
  operator: Operator,
): Promise<ListedKey> {
  const { name, scopes, tenant, expiresAt } = wanted;
  const { rows } = await sql<ListedKey>`
    INSERT INTO api_keys (id, digest, name, scopes, tenant, expires_at, requests_per_minute, events_per_second, created_by)
    VALUES (${id}, ${digest}, ${name}, ${[...scopes]}::text[], ${tenant}, ${expiresAt}::timestamptz,
            ${wanted.requestsPerMinute}, ${wanted.eventsPerSecond}, ${operator.name})
    RETURNING ${COLUMNS}`.execute(db);
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
export async function revokeKey(db: Kysely<unknown>, id: string, operator: Operator): Promise<ListedKey> {
  const { rows: ended } = await sql<{ name: string; tenant: string | null }>`
    UPDATE api_keys SET revoked_at = now() WHERE id = ${id} AND revoked_at IS NULL AND ${ownedBy(operator)}
    RETURNING name, tenant`.execute(db);
  for (const { name, tenant } of ended) {
    await noteAction(db, operator, { action: 'keys.revoke', affected: 1, details: { key_id: id, name, tenant } });
  }
  const [key] = await readKeys(db, sql<SqlBool>`id = ${id}`, operator, 1);
  if (key === undefined) throw new ApiError('not_found', `There is no key ${id}.`);
  return key;
}

/** Keys, newest first, as far as the operator may see them. */
export async function readKeys(
  db: Kysely<unknown>,
  condition: RawBuilder<SqlBool>,
  operator: Operator,
  limit: number,
): Promise<readonly ListedKey[]> {
  const { rows } = await sql<ListedKey>`
    SELECT ${COLUMNS} FROM api_keys k WHERE ${condition} AND ${ownedBy(operator)}
    ORDER BY k.created_at DESC, k.id DESC LIMIT ${limit}`.execute(db);
  return rows;
}

function ownedBy({ tenant }: Operator): RawBuilder<SqlBool> {
  return tenant === null ? sql<SqlBool>`true` : sql<SqlBool>`tenant = ${tenant}`;
}

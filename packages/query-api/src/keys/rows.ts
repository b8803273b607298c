import { type Kysely, type RawBuilder, sql, type SqlBool } from 'kysely';
import type { Principal } from '@sluice/access/principal';
import type { Scope } from '@sluice/access/scopes';
import type { StoredKey } from '@sluice/access/stored-keys';
import { ApiError } from '@sluice/errors/api-errors';
import { comesAfter, type List, type Place } from '../http/paging.ts';
import { ownedBy } from '../sql/owned-by.ts';
import { utc } from '../sql/utc.ts';

/** A key as the API shows it: everything but the key itself. */
export interface ListedKey {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly tenant: string | null;
}

/** The columns that the API shows. */
const KEY_COLUMNS = sql`
  id, name, scopes, tenant, requests_per_minute, events_per_second, created_by, ${utc('created_at')}, ${utc('expires_at')},
  ${utc('last_used_at')}, ${utc('revoked_at')}`;

/** The list of all keys. */
export const KEYS: List = { of: 'keys', key: { created_at: 'timestamptz', id: 'text' }, order: 'desc' };

/** Reads a page of the keys that the operator may see, newest first. */
export async function listKeys(
  db: Kysely<unknown>,
  { revoked, after, limit }: { revoked: boolean; after: Place | undefined; limit: number },
  operator: Principal,
): Promise<readonly ListedKey[]> {
  const alive = revoked ? sql<SqlBool>`true` : sql<SqlBool>`revoked_at IS NULL`;
  return readKeys(db, sql<SqlBool>`${alive} AND ${comesAfter(after, KEYS)}`, operator, limit);
}

/** @throws ApiError `not_found`, also for one of another tenant */
export async function findKey(db: Kysely<unknown>, id: string, operator: Principal): Promise<ListedKey> {
  const [key] = await readKeys(db, sql<SqlBool>`id = ${id}`, operator, 1);
  if (key === undefined) throw new ApiError('not_found', `There is no key ${id}.`);
  return key;
}

async function readKeys(
  db: Kysely<unknown>,
  condition: RawBuilder<SqlBool>,
  operator: Principal,
  limit: number,
): Promise<readonly ListedKey[]> {
  const { rows } = await sql<ListedKey>`
    SELECT ${KEY_COLUMNS} FROM api_keys k WHERE ${condition} AND ${ownedBy(operator)}
    ORDER BY k.created_at DESC, k.id DESC LIMIT ${limit}`.execute(db);
  return rows;
}

/** Reads every key that is neither revoked nor expired. */
export async function goodKeys(db: Kysely<unknown>): Promise<StoredKey[]> {
  const { rows } = await sql<StoredKey>`
    SELECT id, name, digest, scopes, tenant, (extract(epoch FROM expires_at) * 1000)::float8 AS "expiresAt",
           requests_per_minute AS "requestsPerMinute", events_per_second AS "eventsPerSecond"
    FROM api_keys WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())`.execute(db);
  return rows;
}

import { type Kysely, type RawBuilder, type SqlBool, sql } from 'kysely';
import type { NewKey } from '@sluice/access/api-key';
import type { Scope } from '@sluice/access/scopes';
import { ApiKey } from '@sluice/store/entities/api-key';
import { LOCKED, now, type UnitOfWork } from '@sluice/store/entities/unit-of-work';
import { ApiError } from '@sluice/errors/api-errors';
import type { Operator } from './operator-keys.ts';
import { noteChange } from '../audit/audit.ts';
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

/** Stores a new key, as its hash, with its note in the audit log. */
export async function createKey(
  unit: UnitOfWork,
  { id, digest }: NewKey,
  wanted: WantedKey,
  operator: Operator,
): Promise<ListedKey> {
  const { name, scopes, tenant, expiresAt, requestsPerMinute, eventsPerSecond } = wanted;
  unit.entities.getRepository(ApiKey).create({
    id,
    digest,
    name,
    scopes: [...scopes],
    tenant,
    expiresAt: expiresAt === null ? null : new Date(expiresAt),
    requestsPerMinute,
    eventsPerSecond,
    createdBy: operator.name,
  });
  noteChange(unit, operator, {
    action: 'keys.create',
    affected: 1,
    details: { key_id: id, name, scopes, tenant, expires_at: expiresAt },
  });
  await unit.write();
  return readKey(unit.db, id, operator);
}

/**
 * Ends a key, with its note in the audit log. One that has ended already stays as it is.
 *
 * @throws ApiError `not_found`, also for one of another tenant
 */
export async function revokeKey(unit: UnitOfWork, id: string, operator: Operator): Promise<ListedKey> {
  const owned = operator.tenant === null ? { id } : { id, tenant: operator.tenant };
  const key = await unit.entities.getRepository(ApiKey).findOne(owned, LOCKED);
  if (key !== null && key.revokedAt === null) {
    key.revokedAt = now();
    const { name, tenant } = key;
    noteChange(unit, operator, { action: 'keys.revoke', affected: 1, details: { key_id: id, name, tenant } });
    await unit.write();
  }
  return readKey(unit.db, id, operator);
}

/** @throws ApiError `not_found`, also for one of another tenant */
async function readKey(db: Kysely<unknown>, id: string, operator: Operator): Promise<ListedKey> {
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

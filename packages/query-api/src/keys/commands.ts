import { type Kysely, sql } from 'kysely';
import type { NewKey } from '@sluice/access/api-key';
import type { Principal } from '@sluice/access/principal';
import type { Scope } from '@sluice/access/scopes';
import { ApiKey } from '@sluice/store/entities/api-key';
import { LOCKED, now, type UnitOfWork } from '@sluice/store/entities/unit-of-work';
import { noteChange } from '../audit/commands.ts';
import { findKey, type ListedKey } from './rows.ts';

/** The properties of a new key. */
export interface WantedKey {
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly tenant: string | null;
  readonly expiresAt: string | null;
  readonly requestsPerMinute: number | null;
  readonly eventsPerSecond: number | null;
}

/** Stores a new key, as its hash, with an entry in the audit log. */
export async function createKey(
  unit: UnitOfWork,
  { id, digest }: NewKey,
  wanted: WantedKey,
  operator: Principal,
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
  return findKey(unit.db, id, operator);
}

/**
 * Revokes a key, with an entry in the audit log. A key that was revoked before stays as it is.
 *
 * @throws ApiError `not_found`, also for one of another tenant
 */
export async function revokeKey(unit: UnitOfWork, id: string, operator: Principal): Promise<ListedKey> {
  const owned = operator.tenant === null ? { id } : { id, tenant: operator.tenant };
  const key = await unit.entities.getRepository(ApiKey).findOne(owned, LOCKED);
  if (key !== null && key.revokedAt === null) {
    key.revokedAt = now();
    const { name, tenant } = key;
    noteChange(unit, operator, { action: 'keys.revoke', affected: 1, details: { key_id: id, name, tenant } });
    await unit.write();
  }
  return findKey(unit.db, id, operator);
}

/**
 * Stores when keys were used last, at most once a minute for each: a busy key must not cost an UPDATE every few seconds.
 * Rows are locked in the order of their ids, because several query APIs do this at the same time.
 *
 * @param uses milliseconds since 1970, by id of the key
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

import { type Kysely, sql } from 'kysely';
import type { Principal } from '@sluice/access/principal';
import { comesAfter, type List, type Place } from '../http/paging.ts';
import { ownedBy } from '../sql/owned-by.ts';
import { utc } from '../sql/utc.ts';

/** An entry of the audit log as the API shows it. */
export interface AuditEntry {
  readonly id: string;
  readonly affected: number;
  readonly details: unknown;
}

/** The list of all entries. */
export const AUDIT_LOG: List = { of: 'audit log', key: { id: 'bigint' }, order: 'desc' };

/** Entries of the audit log, newest first. */
export async function listAuditEntries(
  db: Kysely<unknown>,
  { after, limit }: { after: Place | undefined; limit: number },
  operator: Principal,
): Promise<readonly AuditEntry[]> {
  const { rows } = await sql<{ id: string; affected: string; details: string }>`
    SELECT id, ${utc('at')}, actor, tenant, action, affected, reason, details::text AS details FROM audit_log
    WHERE ${ownedBy(operator)} AND ${comesAfter(after, AUDIT_LOG)} ORDER BY id DESC LIMIT ${limit}`.execute(db);
  return rows.map((row) => ({
    ...row,
    affected: Number(row.affected),
    details: JSON.parse(row.details) as unknown,
  }));
}

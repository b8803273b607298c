import { type Kysely, sql } from 'kysely';
import { beyond, byId } from '../http/cursor.ts';
import type { Operator } from '../keys/operator-keys.ts';
import { ownedBy } from '../sql/owned-by.ts';
import { utc } from '../sql/utc.ts';

/** An entry of the audit log as the API shows it. */
export interface AuditEntry {
  readonly id: string;
  readonly affected: number;
  readonly details: unknown;
}

/** Entries of the audit log, newest first. */
export async function listAuditEntries(
  db: Kysely<unknown>,
  { cursor, limit }: { cursor: string | undefined; limit: number },
  operator: Operator,
): Promise<readonly AuditEntry[]> {
  const { rows } = await sql<{ id: string; affected: string; details: string }>`
    SELECT id, ${utc('at')}, actor, tenant, action, affected, reason, details::text AS details FROM audit_log
    WHERE ${ownedBy(operator)} AND ${beyond(cursor, 'desc')} ${byId('desc')} LIMIT ${limit}`.execute(db);
  return rows.map((row) => ({
    ...row,
    affected: Number(row.affected),
    details: JSON.parse(row.details) as unknown,
  }));
}

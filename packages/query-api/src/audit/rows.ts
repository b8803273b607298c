import { type Kysely, sql } from 'kysely';
import type { Principal } from '@sluice/access/principal';
import { payloadForReading } from '@sluice/store/read-payload';
import { comesAfter, type List, type Place, type ReadRows } from '../http/paging.ts';
import { ownedBy } from '../sql/owned-by.ts';
import { readChunk } from '../sql/read-chunk.ts';
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
): Promise<ReadRows<AuditEntry>> {
  // Details may name ten thousand dead letters.
  const found = sql`
    SELECT id, ${utc('at')}, actor, tenant, action, affected, reason, ${payloadForReading('details')} AS details FROM audit_log
    WHERE ${ownedBy(operator)} AND ${comesAfter(after, AUDIT_LOG)} ORDER BY id DESC LIMIT ${limit}`;
  const { rows, cut } = await readChunk<{ id: string; affected: string; details: string }>(db, found, {
    order: sql`id DESC`,
    chars: sql`length(details)`,
  });
  return {
    rows: rows.map((row) => ({ ...row, affected: Number(row.affected), details: JSON.parse(row.details) as unknown })),
    cut,
  };
}

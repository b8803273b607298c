import { type Kysely, sql } from 'kysely';
import type { Principal } from '@sluice/access/principal';
import { AuditEntry } from '@sluice/store/entities/audit-entry';
import type { UnitOfWork } from '@sluice/store/entities/unit-of-work';

/** What an operator does. */
export interface AuditedAction {
  /** e.g. `dead_letters.discard`. */
  readonly action: string;
  /** How many dead letters it is about. */
  readonly affected: number;
  readonly reason?: string | undefined;
  readonly details: object;
}

/**
 * Notes an action, inside the transaction that does it: there is none without its note.
 *
 * @returns the id of the note
 */
export async function noteAction(db: Kysely<unknown>, operator: Principal, noted: AuditedAction): Promise<string> {
  const { rows } = await sql<{ id: string }>`
    INSERT INTO audit_log (actor, tenant, action, affected, reason, details)
    VALUES (${operator.name}, ${operator.tenant}, ${noted.action}, ${noted.affected}, ${noted.reason ?? null},
            ${JSON.stringify(noted.details)}::jsonb)
    RETURNING id`.execute(db);
  return rows[0]!.id;
}

/** Notes an action in the unit of work that does it. */
export function noteChange({ entities }: UnitOfWork, operator: Principal, noted: AuditedAction): void {
  entities.getRepository(AuditEntry).create({
    actor: operator.name,
    tenant: operator.tenant,
    action: noted.action,
    affected: BigInt(noted.affected),
    reason: noted.reason ?? null,
    details: noted.details,
  });
}

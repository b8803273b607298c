import { type Kysely, sql } from 'kysely';
import type { Principal } from '@sluice/access/principal';
import { AuditEntry } from '@sluice/store/entities/audit-entry';
import type { UnitOfWork } from '@sluice/store/entities/unit-of-work';

/** An action of an operator. */
export interface AuditedAction {
  /** e.g. `dead_letters.discard`. */
  readonly action: string;
  /** How many dead letters, or other objects, the action changes. */
  readonly affected: number;
  readonly reason?: string | undefined;
  readonly details: object;
}

/**
 * Writes an action into the audit log, inside the transaction of the action: none happens without its entry.
 *
 * @returns the id of the entry
 */
export async function noteAction(db: Kysely<unknown>, operator: Principal, noted: AuditedAction): Promise<string> {
  const { rows } = await sql<{ id: string }>`
    INSERT INTO audit_log (actor, tenant, action, affected, reason, details)
    VALUES (${operator.name}, ${operator.tenant}, ${noted.action}, ${noted.affected}, ${noted.reason ?? null},
            ${JSON.stringify(noted.details)}::jsonb)
    RETURNING id`.execute(db);
  return rows[0]!.id;
}

/** Writes an action into the audit log, inside the unit of work of the action. */
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

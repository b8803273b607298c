import { randomUUID } from 'node:crypto';
import { type Kysely, sql } from 'kysely';
import type { ExportConfig } from '@sluice/exports/export-config';
import type { ExportCompression, ExportFormat } from '@sluice/exports/export-formats';
import type { Operator } from '../keys/operator-keys.ts';
import { noteAction } from '../audit/audit.ts';

/** What is to be exported: the tenant's rows stored in [since, until), where null is without an end. */
export interface ExportRequest {
  readonly config: ExportConfig;
  readonly format: ExportFormat;
  readonly compression: ExportCompression;
  readonly since: string | null;
  readonly until: string | null;
}

/**
 * Writes a run down, inside the caller's transaction. Where it goes is frozen with it.
 *
 * @returns its id
 */
export async function requestExport(
  db: Kysely<unknown>,
  { config, format, compression, since, until }: ExportRequest,
  operator: Operator,
): Promise<string> {
  const id = randomUUID();
  const { tenant, destination, backup } = config;
  await sql`
    INSERT INTO export_runs (id, tenant, trigger, state, format, compression, destination, backup, since, until, requested_by)
    VALUES (${id}::uuid, ${tenant}, 'request', 'queued', ${format}, ${compression}, ${JSON.stringify(destination)}::jsonb,
            ${backup === null ? null : JSON.stringify(backup)}::jsonb, ${since}::timestamptz, ${until}::timestamptz,
            ${operator.name})`.execute(db);
  await noteAction(db, operator, {
    action: 'exports.run',
    affected: 1,
    details: { run_id: id, tenant, format, compression, since, until },
  });
  return id;
}

import { type Kysely, sql } from 'kysely';
import { ApiError } from '@sluice/errors/api-errors';

/** @throws ApiError `not_found` for a tenant without any data: most likely a typing error */
export async function requireTenant(db: Kysely<unknown>, tenant: string): Promise<void> {
  const { rows } = await sql<{ known: boolean }>`
    SELECT EXISTS (SELECT FROM events WHERE tenant = ${tenant})
        OR EXISTS (SELECT FROM sessions WHERE tenant = ${tenant})
        OR EXISTS (SELECT FROM export_configs WHERE tenant = ${tenant}) AS known`.execute(db);
  if (rows[0]?.known === true) return;
  throw new ApiError('not_found', `tenant "${tenant}" has no event, no session and no export configuration.`);
}

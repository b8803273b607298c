import { type Kysely, sql } from 'kysely';
import { ApiError } from '@sluice/errors/api-errors';
import { inSegments, readableSegments } from '@sluice/store/layout/readable-segments';
import { byStoring, inGroups } from '@sluice/store/layout/walk-segments';

/** @throws ApiError `not_found` for a tenant without any data: most likely a typing error */
export async function requireTenant(db: Kysely<unknown>, tenant: string): Promise<void> {
  const { rows } = await sql<{ known: boolean }>`
    SELECT EXISTS (SELECT FROM sessions WHERE tenant = ${tenant})
        OR EXISTS (SELECT FROM export_configs WHERE tenant = ${tenant}) AS known`.execute(db);
  if (rows[0]?.known === true || (await hasEvents(db, tenant))) return;
  throw new ApiError('not_found', `tenant "${tenant}" has no event, no session and no export configuration.`);
}

async function hasEvents(db: Kysely<unknown>, tenant: string): Promise<boolean> {
  for (const some of inGroups(await readableSegments(db), byStoring)) {
    const { rows } = await sql`SELECT FROM events WHERE tenant = ${tenant} AND ${inSegments(some)} LIMIT 1`.execute(db);
    if (rows.length > 0) return true;
  }
  return false;
}

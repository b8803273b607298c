import type { TestDatabase } from './test-database.ts';

/** Stores one event for each tenant, past the pipeline: for tests that only need a tenant to have an event. */
export async function insertEvents(database: Pick<TestDatabase, 'query'>, ...tenants: string[]): Promise<void> {
  await database.query(
    `INSERT INTO events (tenant, event_id, event_type, occurred_at, received_at, source, payload)
     SELECT tenant, gen_random_uuid(), 'x', now(), now(), 'governance-tracker', '{}' FROM unnest($1::text[]) AS t (tenant)`,
    [tenants],
  );
}

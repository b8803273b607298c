import { type Kysely, sql } from 'kysely';
import { WIRE_COLUMNS } from '@sluice/store/wire-columns';
import { ApiError } from '@sluice/errors/api-errors';
import { eventIdFromName, isUuid } from '@sluice/events/event-id';
import type { StoredEvent } from '@sluice/events/adapters/to-wire';
import type { UntilGone } from '../http/client-gone.ts';

/**
 * One event by its id. The ledger tells when it was stored, and so in which partition it is: without, every one would
 * be searched (1.2 ms instead of 104).
 *
 * @param id a UUID, or whatever else its client called it
 * @throws ApiError `not_found`, also for an event of another tenant
 */
export async function findEvent(
  db: Kysely<unknown>,
  tenant: string,
  id: string,
  untilGone: UntilGone,
): Promise<StoredEvent> {
  const eventId = isUuid(id) ? id.toLowerCase() : eventIdFromName(tenant, id);
  const ledger = await sql<{ stored_at: string }>`
    SELECT stored_at::text FROM event_ids WHERE tenant = ${tenant} AND event_id = ${eventId}::uuid`.execute(
    db,
    untilGone,
  );
  const storedAt = ledger.rows[0]?.stored_at;
  if (storedAt === undefined) throw noSuchEvent(id);
  const { rows } = await sql<StoredEvent>`
    SELECT ${WIRE_COLUMNS} FROM events
    WHERE stored_at = ${storedAt}::timestamptz AND tenant = ${tenant} AND event_id = ${eventId}::uuid`.execute(
    db,
    untilGone,
  );
  // Its partition may have been dropped between the two statements.
  if (rows[0] === undefined) throw noSuchEvent(id);
  return rows[0];
}

function noSuchEvent(id: string): ApiError {
  return new ApiError('not_found', `There is no event ${id}.`);
}

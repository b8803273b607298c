import { type RawBuilder, sql } from 'kysely';
import { binarySize, payloadForReading, rowsOfChunk, rowsToRead } from '@sluice/store/read-payload';

/**
 * The first of some rows of `events`, with their payloads as texts for readers, until they fill a chunk. `read_found` is
 * how many rows there were.
 *
 * @param rows a query for whole rows, with a LIMIT
 * @param order their order
 */
export function chunkOfEvents(
  rows: RawBuilder<unknown>,
  order: RawBuilder<unknown>,
  budget?: number,
): RawBuilder<unknown> {
  const readable = sql`
    SELECT tenant, tx, stored_at, event_id, event_type, occurred_at, actor, session_id, correlation_id, resource, source,
           ${payloadForReading('payload')} AS payload, read_found
    FROM (${rowsToRead(rows, order, binarySize('payload'))}) AS events OFFSET 0`;
  return rowsOfChunk(readable, order, sql`length(payload)`, budget);
}

import { parseKeepingDigits } from '../json/parse-json.ts';
import type { JsonObject } from './event-adapter.ts';
import { adapterBySource } from './registry.ts';
import { spell, type StoredEvent } from './stored-event.ts';

export type { StoredEvent } from './stored-event.ts';

/**
 * Only a number this long can be beyond 2^53. Most payloads have none, and JSON.parse without a reviver is several times
 * as fast.
 */
const LONG_NUMBER = /\d{16}/;

/**
 * The event under the names of its client's wire shape, from columns and payload. It leaves out what the client left out
 * or sent as null, except the id, the type and the time, which every event has. An event of an unknown source has the
 * columns' own names.
 *
 * The values are ready for `JSON.stringify`: whole numbers beyond 2^53 are raw JSON with all their digits.
 */
export function toWire(row: StoredEvent): Record<string, unknown> {
  const payload = (
    LONG_NUMBER.test(row.payload) ? parseKeepingDigits(row.payload) : JSON.parse(row.payload)
  ) as JsonObject;
  return (adapterBySource(row.source)?.toWire ?? inColumns)(row, payload);
}

function inColumns(row: StoredEvent, payload: JsonObject): Record<string, unknown> {
  const { actor, session_id: sessionId, correlation_id: correlationId, resource } = row;
  return spell(row, payload, { actor, sessionId, correlationId, resource });
}

import { indexedText } from '../indexed-text.ts';
import { digitsOf, parseKeepingDigits } from '../json/parse-json.ts';

/** A row of `events`, as far as its wire shape needs it; `WIRE_COLUMNS` selects it so. */
export interface StoredEvent {
  readonly event_id: string;
  readonly event_type: string;
  /** ISO 8601 UTC with six decimals: a JavaScript Date would lose the microseconds. */
  readonly occurred_at: string;
  readonly actor: string | null;
  readonly session_id: string | null;
  readonly correlation_id: string | null;
  readonly resource: string | null;
  /** Name of the adapter that read it. */
  readonly source: string;
  /** JSON text: parsed by the driver, large numbers would lose digits. */
  readonly payload: string;
}

/** Only a number this long can be beyond 2^53; most payloads have none, and JSON.parse without a reviver is several times as fast. */
const LONG_NUMBER = /\d{16}/;

/**
 * The event as its client spelled it: the names of the wire shape it came in, over columns and payload. What a column
 * could not hold as it was sent is in the payload too, and wins. Left out is what the client left out or sent as null,
 * except the id, the type and the time, which every event has.
 *
 * The values are ready for `JSON.stringify`: whole numbers beyond 2^53 are raw JSON with all their digits.
 */
export function toWire(row: StoredEvent): Record<string, unknown> {
  const payload = (LONG_NUMBER.test(row.payload) ? parseKeepingDigits(row.payload) : JSON.parse(row.payload)) as Record<
    string,
    unknown
  >;
  const optional =
    row.source === 'web-collection'
      ? {
          visitorId: row.actor,
          sessionId: row.session_id,
          correlationId: row.correlation_id,
          path: pathOf(row.resource, payload),
        }
      : {
          userName: row.actor,
          sessionId: row.session_id,
          correlationId: row.correlation_id,
          workbookName: row.resource,
        };
  const wire: Record<string, unknown> = {
    eventId: given(payload['eventId']) ?? row.event_id,
    eventType: given(payload['eventType']) ?? row.event_type,
    timestamp: given(payload['timestamp']) ?? trimMicroseconds(row.occurred_at),
  };
  for (const [name, value] of Object.entries(optional)) if (value !== null) wire[name] = value;
  for (const [name, value] of Object.entries(payload)) if (!REQUIRED.has(name)) wire[name] = value;
  return wire;
}

/** Every event has these, whether its client sent them or not. */
const REQUIRED: ReadonlySet<string> = new Set(['eventId', 'eventType', 'timestamp']);

/** Nothing, for what names nothing. */
function given(value: unknown): unknown {
  return value === '' ? null : value;
}

/**
 * A hit without a path has its URL as the resource, and the URL is all that the page sent. One that sent the same
 * text as both has its path in the payload.
 */
function pathOf(resource: string | null, { url }: Record<string, unknown>): string | null {
  const text = typeof url === 'number' || typeof url === 'boolean' ? String(url) : (digitsOf(url) ?? url);
  return typeof text === 'string' && indexedText(text) === resource ? null : resource;
}

/** Milliseconds, as JavaScript writes them, unless there are microseconds. */
function trimMicroseconds(iso: string): string {
  return iso.endsWith('000Z') ? `${iso.slice(0, -4)}Z` : iso;
}

/** The columns of `events` that a wire shape needs, as `WIRE_COLUMNS` selects them. */
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
  /** JSON text: the driver's parser would take digits from large numbers. */
  readonly payload: string;
}

/**
 * Rebuilds an event from its row: the id, the type and the time, which every event has; the columns under the names of
 * its wire shape; and the payload. A value that its column could not hold unchanged is in the payload too, and wins.
 *
 * @param columns name in the wire shape → value of the column; null for what the client left out
 */
export function spell(
  row: StoredEvent,
  payload: Readonly<Record<string, unknown>>,
  columns: Readonly<Record<string, string | null>>,
): Record<string, unknown> {
  const wire: Record<string, unknown> = {
    eventId: given(payload['eventId']) ?? row.event_id,
    eventType: given(payload['eventType']) ?? row.event_type,
    timestamp: given(payload['timestamp']) ?? trimMicroseconds(row.occurred_at),
  };
  for (const name in columns) if (columns[name] !== null) wire[name] = columns[name];
  for (const [name, value] of Object.entries(payload)) if (!REQUIRED.has(name)) wire[name] = value;
  return wire;
}

/** Properties that every event has, whether or not its client sent them. */
const REQUIRED: ReadonlySet<string> = new Set(['eventId', 'eventType', 'timestamp']);

/** Null for an empty text, which names nothing. */
function given(value: unknown): unknown {
  return value === '' ? null : value;
}

/** Cuts the decimals to milliseconds, as JavaScript writes them, unless there are microseconds. */
function trimMicroseconds(iso: string): string {
  return iso.endsWith('000Z') ? `${iso.slice(0, -4)}Z` : iso;
}

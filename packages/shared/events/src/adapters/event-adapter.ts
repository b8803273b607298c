import type { CanonicalEvent } from '../canonical-event.ts';

/** A parsed JSON object whose properties nobody has looked at yet. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Why one event of a batch can't be taken. The codes are listed in `docs/reference/errors.md`. */
export interface Rejection {
  readonly code: RejectionCode;
  /** The property at fault, where there is one. */
  readonly field?: string;
  readonly message: string;
}

/** What an event can be rejected for, with the text that `docs/reference/errors.md` has for it. */
export const REJECTIONS = {
  not_an_object: 'The event is not a JSON object.',
  missing_field: 'A property that every event must have is missing, null or empty.',
  invalid_type: 'A property has a value of the wrong type, e.g. a number where text is expected.',
  field_too_long: 'A property is longer than its limit.',
  invalid_timestamp: 'The timestamp is not RFC 3339 with a time zone, or names a time that does not exist.',
  timestamp_in_future: 'The timestamp lies more than 24 hours after the time on the server.',
  invalid_number: 'A number is beyond what a 64-bit float can hold, e.g. 1e400.',
  event_too_large: 'The event has more bytes than MAX_EVENT_BYTES.',
} as const;

export type RejectionCode = keyof typeof REJECTIONS;

/** What the writer knows of an event besides its own properties; from the header of its entry. */
export interface EventOrigin {
  readonly tenant: string;
  readonly batchId: string;
  /** Place in the client's batch, from 0. */
  readonly index: number;
  readonly receivedAt: string;
  readonly clientIp: string | null;
  readonly traceId: string | null;
}

/** One wire shape: ingest calls `validate`, the writer calls `project`. */
export interface EventAdapter {
  /** Goes into the entry's header and into the column `source`. */
  readonly source: string;
  /** The events in a request's body, or null when the body is not of this shape. */
  eventsOf(body: unknown): readonly unknown[] | null;
  /** A body of this shape around the JSON text of one event. */
  bodyOf(event: string): string;
  /** @param receivedAt milliseconds since 1970 */
  validate(event: JsonObject, receivedAt: number): Rejection | null;
  /** Total: whatever `validate` let through, this turns into a row. */
  project(event: JsonObject, origin: EventOrigin): Omit<CanonicalEvent, 'flags'>;
}

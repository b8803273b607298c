import type { CanonicalEvent } from '../canonical-event.ts';
import type { EventSpan } from '../json/locate-events.ts';
import type { StoredEvent } from './stored-event.ts';

/** A parsed JSON object whose properties nobody has checked yet. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Why one event of a batch is rejected. `docs/reference/errors.md` lists the codes. */
export interface Rejection {
  readonly code: RejectionCode;
  /** The property at fault, if one is. */
  readonly field?: string;
  readonly message: string;
}

/** Why an event may be rejected, with the text of `docs/reference/errors.md`. */
export const REJECTIONS = {
  not_an_object: 'The event is not a JSON object.',
  missing_field: 'A property that every event must have is missing, null or empty.',
  invalid_type: 'A property has a value of the wrong type, e.g. a number where text is expected.',
  field_too_long: 'A property is longer than its limit.',
  invalid_timestamp: 'The timestamp is not RFC 3339 with a time zone, or names a time that does not exist.',
  timestamp_in_future: 'The timestamp lies more than 24 hours after the time on the server.',
  nesting_too_deep: 'Objects or arrays of the event are nested more than 32 deep.',
  forbidden_property: 'A property of the event, or of a value in it, is called `__proto__`.',
  invalid_number: 'A number is beyond what a 64-bit float can hold, e.g. 1e400.',
  event_too_large:
    'The event has more bytes than MAX_EVENT_BYTES, or would have with its numbers written out (`1e308` has 309 digits).',
  too_many_values: 'The event has more than 20,000 values: objects, arrays, texts, numbers, true, false and null.',
} as const;

export type RejectionCode = keyof typeof REJECTIONS;

/**
 * What the client sent once for all events, e.g. when it sent them, or which resource they belong to. It travels in the
 * header of each entry. It never holds a key: no door puts one here.
 */
export type Envelope = Readonly<Record<string, unknown>>;

/** What the writer knows about an event besides its own properties. It comes from the header of the entry. */
export interface EventOrigin {
  readonly tenant: string;
  readonly batchId: string;
  /** Index in the client's batch, from 0. */
  readonly index: number;
  readonly receivedAt: string;
  readonly clientIp: string | null;
  readonly traceId: string | null;
  readonly envelope?: Envelope | undefined;
}

/** A row as an adapter makes it. Its flags name what the adapter had to change: a time it moved, a text it cut. */
export type ProjectedEvent = Omit<CanonicalEvent, 'flags'> & { readonly flags?: readonly string[] };

/** Limits of the fast count. A body beyond them is left to the parser. */
export interface PlainLimits {
  readonly maxEvents: number;
  readonly maxEventBytes: number;
}

/**
 * One wire shape: reads its events from the client's bytes, turns them into rows, and rows back. Its doors (`door.ts`)
 * say how it arrives. `docs/contribute/add-a-source.md` lists the rules for each part. The conformance suite of the
 * testkit proves them for every adapter in the registry.
 */
export interface EventAdapter {
  /** Name of the source, in the entry's header and in the column `source`. */
  readonly source: string;
  /** The events in an entry's parsed body, or null when the body is not of this shape. */
  eventsOf(this: void, body: unknown): readonly unknown[] | null;
  /** Positions of the same events in the body's bytes, in the same order. `eventsOf` has accepted the body. */
  locate(this: void, body: Buffer): readonly EventSpan[];
  /** What is before and after the comma-separated events of a body. An event alone between both is a valid body. */
  readonly around: { readonly open: string; readonly close: string };
  /** Whether a body can hold several events. */
  readonly holds: 'one' | 'many';
  /**
   * Counts the events of a body from its bytes, if it is certain that parsing and validation accept all of them without
   * a rejection or a warning.
   *
   * @param receivedAt milliseconds since 1970
   * @returns 0 for a body that has to be parsed
   */
  countPlain?(this: void, body: Buffer, receivedAt: number, limits: PlainLimits): number;
  /** The client's own id of the event, for the answer that rejects it; null when it has none. */
  givenId(this: void, event: JsonObject): string | null;
  /** @param receivedAt milliseconds since 1970 */
  validate(this: void, event: JsonObject, receivedAt: number): Rejection | null;
  /** Turns every event that `validate` accepted into a row. It never fails. */
  project(this: void, event: JsonObject, origin: EventOrigin): ProjectedEvent;
  /** The event as its client spelled it. */
  toWire(this: void, row: StoredEvent, payload: JsonObject): Record<string, unknown>;
}

/** A body of the adapter's shape around the JSON text of one event. */
export function bodyOf({ around }: EventAdapter, event: string): string {
  return `${around.open}${event}${around.close}`;
}

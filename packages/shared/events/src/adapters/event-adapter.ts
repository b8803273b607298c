import type { CanonicalEvent } from '../canonical-event.ts';
import type { EventSpan } from '../json/locate-events.ts';
import type { StoredEvent } from './stored-event.ts';

/** A parsed JSON object whose properties nobody has checked yet. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Why one event of a batch is not accepted. The codes are listed in `docs/reference/errors.md`. */
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

/**
 * What a door found around the events and every one of them needs: when the client sent them, which resource they are
 * of. It travels in the header of each entry. A key never does: no door puts one here.
 */
export type Envelope = Readonly<Record<string, unknown>>;

/** What the writer knows of an event besides its own properties; from the header of its entry. */
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

/** A row as an adapter makes it, with the flags of what the adapter had to change: a time it moved, a text it cut. */
export type ProjectedEvent = Omit<CanonicalEvent, 'flags'> & { readonly flags?: readonly string[] };

/** Above these limits a fast count leaves a body to the parser. */
export interface PlainLimits {
  readonly maxEvents: number;
  readonly maxEventBytes: number;
}

/**
 * One wire shape: what an event of it is, from the client's bytes to a row and back. How it comes in is said by its
 * doors (`door.ts`). `docs/contribute/add-a-source.md` says what each part must hold to, and the conformance suite of
 * the testkit proves it of every adapter in the registry.
 */
export interface EventAdapter {
  /** Goes into the entry's header and into the column `source`. */
  readonly source: string;
  /** The events in an entry's parsed body, or null when the body is not of this shape. */
  eventsOf(this: void, body: unknown): readonly unknown[] | null;
  /** Where the same events are in the body's bytes, in the same order. `eventsOf` has accepted the body. */
  locate(this: void, body: Buffer): readonly EventSpan[];
  /** What is before and after events, joined by commas, in a body of this shape. Events cut out of it must stand alone. */
  readonly around: { readonly open: string; readonly close: string };
  /** Whether a body can hold several events. */
  readonly holds: 'one' | 'many';
  /**
   * Counts the events of a body that nothing can be said against, from its bytes: those that parsing and validation
   * accept without a rejection or a warning.
   *
   * @param receivedAt milliseconds since 1970
   * @returns 0 for a body that has to be parsed
   */
  countPlain?(this: void, body: Buffer, receivedAt: number, limits: PlainLimits): number;
  /** What the client calls the event, for the answer that rejects it; null when it has no name. */
  givenId(this: void, event: JsonObject): string | null;
  /** @param receivedAt milliseconds since 1970 */
  validate(this: void, event: JsonObject, receivedAt: number): Rejection | null;
  /** Total: it turns whatever `validate` accepted into a row. */
  project(this: void, event: JsonObject, origin: EventOrigin): ProjectedEvent;
  /** The event as its client spelled it. */
  toWire(this: void, row: StoredEvent, payload: JsonObject): Record<string, unknown>;
}

/** A body of the adapter's shape around the JSON text of one event. */
export function bodyOf({ around }: EventAdapter, event: string): string {
  return `${around.open}${event}${around.close}`;
}

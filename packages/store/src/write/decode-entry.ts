import type { EventAdapter, JsonObject } from '@sluice/events/adapters/event-adapter';
import { adapterBySource } from '@sluice/events/adapters/registry';
import { type CanonicalEvent, MAX_BODY_VALUES } from '@sluice/events/canonical-event';
import { hasMoreValues } from '@sluice/events/json/byte-limits';
import { hasLargeNumber, parseKeepingDigits } from '@sluice/events/json/parse-json';
import {
  CHARACTERS_REPLACED,
  hasUnstorableText,
  maySpellUnstorableText,
  replaceUnstorableText,
} from '@sluice/events/json/unstorable-text';
import { decodeEntry as decodeFields, EntryError, type EntryHeader } from '@sluice/stream/stream-entry';
import type { DeadLetterReason, DeathCause } from '../dead-letter-reasons.ts';

/** An entry as it was read, not decoded yet. */
export interface RawEntry {
  /** Stream key of its shard. */
  readonly key: string;
  readonly id: string;
  readonly fields: readonly Buffer[];
}

/** An entry's events, ready to be stored. */
export interface DecodedEntry extends RawEntry {
  /** Empty when the entry is unreadable. */
  readonly events: readonly CanonicalEvent[];
  /** Number of events that ingest accepted with it, by its header. 1 when it is unreadable: it ends as one dead letter. */
  readonly accepted: number;
  /** Bytes of the body's JSON: a measure of the memory and of the statement's size. */
  readonly bytes: number;
  /** Id of the dead letter that this entry replays. */
  readonly replayOf: string | null;
  /** W3C trace context of the `send events` that sent it. */
  readonly traceparent: string | null;
  /** When its request was received, ISO 8601; null when the header cannot be read. */
  readonly receivedAt: string | null;
  /** Start and end of its decoding, by `performance.now()`. */
  readonly decoding: { readonly from: number; readonly to: number };
  /** Why an operator set it aside: its events become dead letters. Left out as a rule. */
  readonly setAside?: DeathCause;
  /** Why it cannot be read; such an entry becomes one dead letter. Null for a readable entry. */
  readonly unreadable: (Error & { readonly code: DeadLetterReason }) | null;
}

/** One event as its client sent it, with its position. */
export interface WireEvent {
  /** Index in the entry's body, from 0. */
  readonly place: number;
  /** Index in the client's batch. */
  readonly index: number;
  readonly event: unknown;
}

/** Turns an entry into canonical events, through the adapter that its header names. Never throws EntryError. */
export function decodeEntry(entry: RawEntry, adapterOf = adapterBySource): DecodedEntry {
  const from = performance.now();
  try {
    const { header, body, adapter, wire } = readEntry(entry, adapterOf);
    const mayNeedReplacing = maySpellUnstorableText(body);
    const events = wire.map((each) => project(each, header, adapter, mayNeedReplacing));
    // Of a replayed event, `traceparent` stays the first request's.
    const { accepted, sentBy: traceparent = header.traceparent, receivedAt, replayOf = null } = header;
    const decoding = { from, to: performance.now() };
    const bytes = body.length;
    return { ...entry, events, accepted, bytes, replayOf, traceparent, receivedAt, decoding, unreadable: null };
  } catch (error) {
    if (!(error instanceof EntryError)) throw error;
    const bytes = entry.fields.reduce((sum, field) => sum + field.length, 0);
    return { ...unreadableEntry(entry, error), bytes, decoding: { from, to: performance.now() } };
  }
}

/** An unreadable entry, as a decoded one without events. */
export function unreadableEntry(
  entry: RawEntry,
  unreadable: NonNullable<DecodedEntry['unreadable']>,
): Omit<DecodedEntry, 'bytes' | 'decoding'> {
  return { ...entry, events: [], accepted: 1, replayOf: null, traceparent: null, receivedAt: null, unreadable };
}

/** The accepted events of an entry as their client sent them, in the order of `DecodedEntry.events`. */
export function readEntry(
  entry: RawEntry,
  adapterOf = adapterBySource,
): {
  header: EntryHeader;
  body: string;
  adapter: EventAdapter;
  wire: readonly WireEvent[];
} {
  const { header, body } = decodeFields(entry.fields);
  const adapter = adapterOf(header.source);
  if (adapter === undefined) throw new EntryError('malformed_header', `no adapter reads the source ${header.source}`);
  const events = adapter.eventsOf(parseBody(body));
  if (events === null) throw new EntryError('malformed_body', `the body is not one of ${header.source}`);
  const rejected = new Set(header.rejected);
  const wire = events
    .map((event, place) => ({ event, place, index: header.firstIndex + place }))
    .filter(({ place }) => !rejected.has(place));
  const odd = wire.find(({ event }) => typeof event !== 'object' || event === null || Array.isArray(event));
  if (odd !== undefined) throw new EntryError('malformed_body', `event ${odd.place} of the body is not an object`);
  return { header, body, adapter, wire };
}

function project(
  { event: given, index }: WireEvent,
  header: EntryHeader,
  adapter: EventAdapter,
  mayNeedReplacing: boolean,
): CanonicalEvent {
  const replace = mayNeedReplacing && hasUnstorableText(given);
  const event = (replace ? replaceUnstorableText(given) : given) as JsonObject;
  const projected = adapter.project(event, {
    tenant: header.tenant,
    batchId: header.batchId,
    index,
    receivedAt: header.receivedAt,
    clientIp: header.clientIp,
    traceId: traceIdOf(header),
    envelope: header.envelope,
  });
  const { flags: own = null } = projected;
  return { ...projected, flags: replace ? [CHARACTERS_REPLACED, ...(own ?? [])] : own };
}

function parseBody(body: string): unknown {
  // Ingest puts no such body on the stream: another program wrote it, and parsing it would stop this one.
  if (body.length > 2 * MAX_BODY_VALUES && hasMoreValues(Buffer.from(body), MAX_BODY_VALUES))
    throw new EntryError('malformed_body', `the body has more than ${MAX_BODY_VALUES} values`);
  try {
    const parsed: unknown = JSON.parse(body);
    return hasLargeNumber(parsed) ? parseKeepingDigits(body) : parsed;
  } catch (error) {
    throw new EntryError('malformed_body', 'the body is not JSON', error);
  }
}

/** `00-<trace id>-<span id>-<flags>` → the trace id. */
export function traceIdOf(header: EntryHeader): string | null {
  return header.traceparent?.split('-')[1] ?? null;
}

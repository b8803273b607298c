import { adapterBySource } from '@sluice/shared/events/adapters/adapter-by-source';
import type { CanonicalEvent } from '@sluice/shared/events/canonical-event';
import type { JsonObject } from '@sluice/shared/events/event-adapter';
import { hasLargeNumber, parseKeepingDigits } from '@sluice/shared/events/parse-json';
import {
  CHARACTERS_REPLACED,
  hasUnstorableText,
  maySpellUnstorableText,
  replaceUnstorableText,
} from '@sluice/shared/events/unstorable-text';
import { decodeEntry as decodeFields, EntryError, type EntryHeader } from '@sluice/shared/stream/stream-entry';

/** An entry as it was read: not looked at yet. */
export interface RawEntry {
  /** Key of its shard. */
  readonly key: string;
  readonly id: string;
  readonly fields: readonly Buffer[];
}

/** An entry's events, ready to be stored. */
export interface DecodedEntry {
  readonly key: string;
  readonly id: string;
  readonly events: readonly CanonicalEvent[];
  /** Bytes of the body's JSON, as a measure of the memory and of the statement's size. */
  readonly bytes: number;
}

/**
 * Turns an entry into canonical events, through the adapter that its header names.
 *
 * @throws EntryError when it can't be read
 */
export function decodeEntry(entry: RawEntry): DecodedEntry {
  const { header, body } = decodeFields(entry.fields);
  const adapter = adapterBySource(header.source);
  if (adapter === undefined) throw new EntryError('malformed_header', `no adapter reads the source ${header.source}`);
  const events = adapter.eventsOf(parseBody(body));
  if (events === null) throw new EntryError('malformed_body', `the body is not one of ${header.source}`);

  const rejected = new Set(header.rejected);
  const mayNeedReplacing = maySpellUnstorableText(body);
  const traceId = traceIdOf(header);
  const decoded: CanonicalEvent[] = [];
  events.forEach((given, place) => {
    if (rejected.has(place)) return;
    const replace = mayNeedReplacing && hasUnstorableText(given);
    const event = (replace ? replaceUnstorableText(given) : given) as JsonObject;
    const projected = adapter.project(event, {
      tenant: header.tenant,
      batchId: header.batchId,
      index: header.firstIndex + place,
      receivedAt: header.receivedAt,
      clientIp: header.clientIp,
      traceId,
    });
    decoded.push({ ...projected, flags: replace ? [CHARACTERS_REPLACED] : null });
  });
  return { key: entry.key, id: entry.id, events: decoded, bytes: body.length };
}

function parseBody(body: string): unknown {
  try {
    const parsed: unknown = JSON.parse(body);
    return hasLargeNumber(parsed) ? parseKeepingDigits(body) : parsed;
  } catch (error) {
    throw new EntryError('malformed_body', 'the body is not JSON', error);
  }
}

/** `00-<trace id>-<span id>-<flags>` → the trace id. */
function traceIdOf(header: EntryHeader): string | null {
  return header.traceparent?.split('-')[1] ?? null;
}

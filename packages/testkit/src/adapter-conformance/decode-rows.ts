import type { EventOrigin, JsonObject } from '@sluice/events/adapters/event-adapter';
import type { CanonicalEvent } from '@sluice/events/canonical-event';
import { parseKeepingDigits } from '@sluice/events/json/parse-json';
import { CHARACTERS_REPLACED, hasUnstorableText, replaceUnstorableText } from '@sluice/events/json/unstorable-text';
import { type DecodedEntry, decodeEntry } from '@sluice/store/write/decode-entry';
import type { EntryFields } from '@sluice/stream/stream-entry';
import type { Specimen } from '../specimens/specimen.ts';
import { CLIENT } from './accept-request.ts';

/** Decodes an entry as a writer does. */
export function decode({ adapter }: Specimen, fields: EntryFields, at: number): DecodedEntry {
  const decoded = decodeEntry({ key: 'stream', id: `1-${at}`, fields: bytesOf(fields) }, (source) =>
    source === adapter.source ? adapter : undefined,
  );
  if (decoded.unreadable !== null) throw decoded.unreadable;
  return decoded;
}

/** The fields of an entry as Redis returns them. */
export function bytesOf(fields: EntryFields): Buffer[] {
  return fields.map((field) => Buffer.from(field as string));
}

/** The row of an event that is sent alone. */
export function canonical({ adapter }: Specimen, json: string, origin: EventOrigin): CanonicalEvent {
  const event = parseKeepingDigits(json);
  const replaced = hasUnstorableText(event);
  const stored = (replaced ? replaceUnstorableText(event) : event) as JsonObject;
  const projected = adapter.project(stored, origin);
  const flags = [...(replaced ? [CHARACTERS_REPLACED] : []), ...(projected.flags ?? [])];
  return { ...projected, flags: flags.length === 0 ? null : flags };
}

/** What the writer would know about an event of the client. */
export function originOf(batchId: string, index: number): EventOrigin {
  const { tenant, clientIp, traceparent, receivedAt } = CLIENT;
  const traceId = traceparent.split('-')[1]!;
  return { tenant, batchId, index, clientIp, traceId, receivedAt: receivedAt.toISOString() };
}

import type { EventAdapter } from '@sluice/events/adapters/event-adapter';
import type { EventSpan } from '@sluice/events/json/locate-events';
import {
  type EntryFields,
  type EntryHeader,
  encodeEntry,
  MAX_ENTRY_BYTES,
  MAX_ENTRY_EVENTS,
} from '@sluice/stream/stream-entry';

/** A batch as the client sent it, with the result of validation. */
export interface AcceptedBatch {
  readonly adapter: EventAdapter;
  /** JSON of the adapter's shape. */
  readonly body: Buffer;
  readonly eventCount: number;
  /** Indices of rejected events, ascending. */
  readonly rejected: readonly number[];
  /** Whether the rejected events must not travel with the others, which costs the writing of the body again. */
  readonly withoutRejected: boolean;
  /** Finds the events in the body. Called only when the body must be cut. */
  readonly locate: () => readonly EventSpan[];
  readonly header: Omit<EntryHeader, 'firstIndex' | 'accepted' | 'rejected'>;
}

/** The entries that a batch was cut into. */
export interface CutBatch {
  readonly entries: readonly EntryFields[];
  /** Number of accepted events in all entries together. */
  readonly accepted: number;
}

/** True when the body can be one entry as it is. */
export function fitsOneEntry(body: Buffer, eventCount: number): boolean {
  return eventCount <= MAX_ENTRY_EVENTS && body.length <= MAX_ENTRY_BYTES;
}

/**
 * Cuts a batch into stream entries of at most 500 events and 1 MiB each. A single larger event gets an entry of its own.
 *
 * A batch that fits becomes one entry, byte for byte, unless a rejected event must be left out. A larger one is cut between
 * events, and the entries hold the client's own bytes. They leave out the rejected events, which may be the large ones.
 */
export function cutEntries(batch: AcceptedBatch): CutBatch {
  const { adapter, body, eventCount, rejected, withoutRejected, header } = batch;
  if (fitsOneEntry(body, eventCount) && !withoutRejected) {
    const accepted = eventCount - rejected.length;
    return { entries: [encodeEntry({ ...header, firstIndex: 0, accepted, rejected }, body)], accepted };
  }
  let accepted = 0;
  const entries = chunks(adapter, batch.locate(), new Set(rejected)).map((chunk) => {
    const own = { firstIndex: chunk.firstIndex, accepted: chunk.events.length - chunk.rejected.length };
    accepted += own.accepted;
    return encodeEntry({ ...header, ...own, rejected: chunk.rejected }, joinEvents(adapter, body, chunk.events));
  });
  return { entries, accepted };
}

interface Chunk {
  readonly firstIndex: number;
  /** Null for a rejected event, so that positions in the chunk follow the indices in the batch. */
  readonly events: (EventSpan | null)[];
  readonly rejected: number[];
}

function chunks({ around, holds }: EventAdapter, spans: readonly EventSpan[], rejected: ReadonlySet<number>): Chunk[] {
  const most = holds === 'one' ? 1 : MAX_ENTRY_EVENTS;
  const bytesAround = Buffer.byteLength(around.open) + Buffer.byteLength(around.close);
  const found: Chunk[] = [];
  let current: Chunk | undefined;
  let bytes = 0;
  for (const [index, span] of spans.entries()) {
    const isAccepted = !rejected.has(index);
    const size = isAccepted ? span.end - span.start + 1 : NULL.length + 1;
    if (current === undefined || current.events.length >= most || bytes + size > MAX_ENTRY_BYTES) {
      current = { firstIndex: index, events: [], rejected: [] };
      found.push(current);
      bytes = bytesAround;
    }
    if (!isAccepted) current.rejected.push(current.events.length);
    current.events.push(isAccepted ? span : null);
    bytes += size;
  }
  return found.filter((chunk) => chunk.rejected.length < chunk.events.length);
}

const COMMA = Buffer.from(',');
const NULL = Buffer.from('null');

function joinEvents({ around }: EventAdapter, body: Buffer, events: readonly (EventSpan | null)[]): Buffer {
  const parts = events.flatMap((span, place) => {
    const bytes = span === null ? NULL : body.subarray(span.start, span.end);
    return place === 0 ? [bytes] : [COMMA, bytes];
  });
  return Buffer.concat([Buffer.from(around.open), ...parts, Buffer.from(around.close)]);
}

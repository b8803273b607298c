import type { EventAdapter } from '@sluice/events/adapters/event-adapter';
import type { EventSpan } from '@sluice/events/json/locate-events';
import {
  type EntryFields,
  type EntryHeader,
  encodeEntry,
  MAX_ENTRY_BYTES,
  MAX_ENTRY_EVENTS,
} from '@sluice/stream/stream-entry';

/** A batch as it came, with what validation said of it. */
export interface AcceptedBatch {
  readonly adapter: EventAdapter;
  /** JSON of the adapter's shape. */
  readonly body: Buffer;
  readonly eventCount: number;
  /** Indices of rejected events, ascending. */
  readonly rejected: readonly number[];
  /** Finds the events in the body; only called when it has to be cut. */
  readonly locate: () => readonly EventSpan[];
  readonly header: Omit<EntryHeader, 'firstIndex' | 'accepted' | 'rejected'>;
}

/** What a batch was cut into. */
export interface CutBatch {
  readonly entries: readonly EntryFields[];
  /** How many accepted events the entries hold, all together. */
  readonly accepted: number;
}

/** True when the body can be one entry as it is. */
export function fitsOneEntry(body: Buffer, eventCount: number): boolean {
  return eventCount <= MAX_ENTRY_EVENTS && body.length <= MAX_ENTRY_BYTES;
}

/**
 * Cuts a batch into stream entries of at most 500 events and 1 MiB each (a single larger event is alone).
 *
 * A batch that fits is one entry, byte for byte. A larger one is cut between events, again from the client's own
 * bytes, and its rejected events, which may be the large ones, are left behind.
 */
export function cutEntries(batch: AcceptedBatch): CutBatch {
  const { adapter, body, eventCount, rejected, header } = batch;
  if (fitsOneEntry(body, eventCount)) {
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
  /** Null stands for a rejected event, so that places in the chunk and indices in the batch keep in step. */
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
    const taken = !rejected.has(index);
    const size = taken ? span.end - span.start + 1 : NULL.length + 1;
    if (current === undefined || current.events.length >= most || bytes + size > MAX_ENTRY_BYTES) {
      current = { firstIndex: index, events: [], rejected: [] };
      found.push(current);
      bytes = bytesAround;
    }
    if (!taken) current.rejected.push(current.events.length);
    current.events.push(taken ? span : null);
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

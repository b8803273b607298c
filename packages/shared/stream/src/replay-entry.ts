import { bodyOf, type Envelope } from '@sluice/events/adapters/event-adapter';
import { adapterBySource } from '@sluice/events/adapters/registry';
import { type EntryFields, encodeEntry, type EntryHeader } from './stream-entry.ts';

/** The columns of a dead letter that a replay needs. */
export interface ReplayableLetter {
  readonly id: string;
  readonly tenant: string | null;
  readonly source: string | null;
  /** JSON text of the event. */
  readonly event: string | null;
  /** JSON text: where the event came from. */
  readonly origin: string | null;
}

/** Where an event came from, as its dead letter stores it. */
export interface LetterOrigin {
  readonly batch_id: string;
  readonly index: number;
  readonly received_at: string;
  readonly client_ip: string | null;
  readonly traceparent: string | null;
  readonly envelope?: Envelope;
}

/** The parts of the stream entry that replays a dead letter. */
export interface ReplayedEntry {
  /** Id of the dead letter. */
  readonly letter: string;
  readonly header: EntryHeader;
  readonly body: Buffer;
}

/** Makes the stream entry that replays a dead letter; null when there is no event to replay. */
export function replayEntry(letter: ReplayableLetter): EntryFields | null {
  const entry = readLetter(letter);
  return entry === null ? null : encodeEntry(entry.header, entry.body);
}

/**
 * Reads from a dead letter the header and body of the entry that replays it. The header repeats the first delivery:
 * an id that is derived from batch and index is the same again, and the trace leads to the original request.
 *
 * @returns null when there is no event to replay: the dead letter is an entry that no writer could read
 */
export function readLetter(letter: ReplayableLetter): ReplayedEntry | null {
  const { tenant, source, event, origin } = letter;
  if (tenant === null || source === null || event === null || origin === null) return null;
  const adapter = adapterBySource(source);
  if (adapter === undefined) return null;
  const { batch_id, index, received_at, client_ip, traceparent, envelope } = JSON.parse(origin) as LetterOrigin;
  return {
    letter: letter.id,
    header: {
      source,
      tenant,
      batchId: batch_id,
      firstIndex: index,
      accepted: 1,
      rejected: [],
      clientIp: client_ip,
      receivedAt: received_at,
      traceparent,
      replayOf: letter.id,
      envelope,
    },
    body: Buffer.from(bodyOf(adapter, event)),
  };
}

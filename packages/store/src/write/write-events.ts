import type { CanonicalEvent } from '@sluice/events/canonical-event';
import type { Database } from '../database.ts';
import { executeNamed } from '../named-statement.ts';
import { inTransaction } from '../transaction.ts';
import { copyEvents } from './copy-events.ts';
import type { NewDeadLetter } from './dead-letter.ts';
import type { DecodedEntry } from './decode-entry.ts';
import { enterSegment } from './enter-segment.ts';
import { insertEvents } from './event-statements.ts';
import type { KnownIds, Suspect } from './known-ids.ts';
import { settleReplays } from './settle-replays.ts';

/** Name of the statement on each connection, before the segment's number; its text is the same for all batches. */
const STORE_EVENTS = 'store-events';

/** What one transaction did. The three numbers add up to the events and unreadable entries it was given. */
export interface Written {
  /** Number of new events. */
  readonly stored: number;
  /** Number of events whose id was there before, in the database or earlier in the same batch. */
  readonly duplicates: number;
  /** Number of new dead letters. */
  readonly dead: number;
  /** The new dead letters, for telemetry. */
  readonly letters: readonly NewDeadLetter[];
}

/**
 * Stores the events of readable entries in one transaction, those whose id is in no segment. The fast way is a COPY, which
 * stores all or nothing. Where an id is stored already, or a value needs it, the slow way follows: one statement that
 * decides about each event. Entries that replay dead letters take it too, because their dead letters are settled with it.
 *
 * @param options.known what the writer knows of older segments; without it there is only the slow way
 * @param options.stop cancels the statement on the server; the transaction is then rolled back
 * @param options.moved called after each statement
 * @throws what Postgres answered; then nothing of the batch is stored, unless the answer was lost
 */
export async function writeEvents(
  database: Database,
  entries: readonly DecodedEntry[],
  { known, stop, moved = () => {} }: WriteOptions = {},
): Promise<Written> {
  const events = entries.flatMap((entry) => entry.events);
  const different = firstOfEachId(events);
  const replays = entries.some((entry) => entry.replayOf !== null);
  if (known !== undefined && !replays && (await copyEvents(database, different, { known, stop }))) {
    moved();
    return { stored: different.length, duplicates: events.length - different.length, dead: 0, letters: [] };
  }
  const stored = await inTransaction(database, async (db, client) => {
    const segment = await enterSegment(db);
    const query = insertEvents(different, segment, suspectsIn(segment, different, known)).compile(db);
    const rows = await executeNamed(database, client, { name: `${STORE_EVENTS}-${segment}`, query }, stop);
    moved();
    if (replays) {
      await settleReplays(db, entries, segment);
      moved();
    }
    return { count: Number(rows[0]?.stored ?? 0), segment };
  });
  // Resends of what is stored alone would never notice a rotation, and look every id up in every segment.
  if (known !== undefined && known.hot !== stored.segment) await known.refresh();
  return { stored: stored.count, duplicates: events.length - stored.count, dead: 0, letters: [] };
}

/** Where ids must be looked up, as far as the writer knows of all segments before this one. */
function suspectsIn(
  segment: number,
  events: readonly CanonicalEvent[],
  known: KnownIds | undefined,
): readonly Suspect[] | undefined {
  if (known?.hot !== segment) return undefined;
  const ids = events.map(({ eventId }) => eventId);
  return known.suspects(ids, Buffer.from(ids.join('').replaceAll('-', ''), 'hex'));
}

export interface WriteOptions {
  readonly known?: KnownIds;
  readonly stop?: AbortSignal;
  readonly moved?: () => void;
}

/**
 * The first event of each id and tenant, in their order. A COPY would fail where one is twice in a batch, and writers with
 * the same ids do not deadlock when all insert in one order.
 */
export function firstOfEachId<T extends Pick<CanonicalEvent, 'tenant' | 'eventId'>>(events: readonly T[]): T[] {
  // The sort is stable: of equal ones the first stays first.
  const sorted = events.toSorted((a, b) => compare(a.eventId, b.eventId) || compare(a.tenant, b.tenant));
  return sorted.filter((event, at) => at === 0 || !isSame(event, sorted[at - 1]!));
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

function isSame<T extends Pick<CanonicalEvent, 'tenant' | 'eventId'>>(one: T, other: T): boolean {
  return one.eventId === other.eventId && one.tenant === other.tenant;
}

import type { Kysely } from 'kysely';
import type { CanonicalEvent } from '@sluice/events/canonical-event';
import type { Database } from '../database.ts';
import type { DeathCause } from '../dead-letter-reasons.ts';
import { inTransaction } from '../transaction.ts';
import { areKnown, deadEntry, deadEvents, insertDeadLetters, type Poisoned, reasonOf } from './dead-letter.ts';
import type { DecodedEntry } from './decode-entry.ts';
import { enterSegment } from './enter-segment.ts';
import { classifyFailure, type Failure } from './failure-policy.ts';
import { isolateEvents, RefusedError } from './isolate-events.ts';
import { settleReplays } from './settle-replays.ts';
import { firstOfEachId, type Written } from './write-events.ts';

/** Runs work in a transaction, as `inTransaction` does. */
type Transact = (database: Database, work: (db: Kysely<unknown>) => Promise<Written>) => Promise<Written>;

/**
 * Stores a batch in which something cannot be stored. One transaction stores the good events, and a dead letter for each
 * bad event and for each unreadable entry. It takes a handful of statements, whatever is bad: one of them finds all bad
 * events (`isolateEvents`).
 *
 * An event that a constraint or a trigger refuses is bad only if another event of the batch is stored: when none is, the
 * table refuses all of them.
 *
 * @param transact runs the transaction; that of a dry run rolls it back
 * @param moved called after each step of a few statements
 * @throws an error that is not due to an event: the caller decides whether to retry the whole
 */
export async function isolatePoison(
  database: Database,
  entries: readonly DecodedEntry[],
  transact: Transact = inTransaction,
  moved: () => void = () => {},
): Promise<Written> {
  try {
    return await transact(database, (db) => isolate(db, entries, moved));
  } catch (error) {
    const failure = classifyFailure(error);
    // No text parameter can hold U+0000: where an event has one, the statement itself fails.
    if (failure.kind !== 'row' || !entries.some(({ events }) => events.some(hasNul))) throw error;
    return transact(database, (db) => isolate(db, entries, moved, causeOfFailure(failure)));
  }
}

/** @param causeOfNul why events with U+0000 are bad; left out, they are tried like the others */
async function isolate(
  db: Kysely<unknown>,
  entries: readonly DecodedEntry[],
  moved: () => void,
  causeOfNul?: DeathCause,
): Promise<Written> {
  const entryOf = new Map(entries.flatMap((entry) => entry.events.map((event) => [event, entry] as const)));
  const unreadable = entries.flatMap((entry) =>
    entry.unreadable === null ? [] : [deadEntry(entry, causeOfUnreadable(entry.unreadable))],
  );
  const aside = entries.flatMap(({ setAside, events: its }) =>
    setAside === undefined ? [] : its.map((event) => ({ event, cause: setAside })),
  );
  const events = firstOfEachId(
    [...entryOf].flatMap(([event, { setAside }]) => (setAside === undefined ? [event] : [])),
  );
  const segment = await enterSegment(db);
  const [unsendable, sendable] =
    causeOfNul === undefined ? [[], events] : [events.filter(hasNul), events.filter((event) => !hasNul(event))];
  const { stored, refused } = await isolateEvents(db, sendable, segment);
  moved();
  const poisoned: Poisoned[] = [
    ...unsendable.map((event) => ({ event, cause: causeOfNul! })),
    ...refused.map(({ event, refusal }) => ({ event, cause: causeOfFailure(classifyFailure(refusal)) })),
    ...aside,
  ];
  const byEntry = Map.groupBy(poisoned, ({ event }) => entryOf.get(event)!);
  const drafts = [...byEntry].flatMap(([entry, its]) => deadEvents(entry, its));
  // A dead letter that fails again in its replay is one again, whatever happened to others.
  const stall = refused.find(
    ({ event, refusal }) => classifyFailure(refusal).kind !== 'row' && entryOf.get(event)!.replayOf === null,
  );
  if (stall !== undefined && stored === 0 && !(await areKnown(db, drafts))) throw new RefusedError(stall.refusal);
  const letters = await insertDeadLetters(db, [...drafts, ...unreadable]);
  moved();
  await settleReplays(db, entries, segment);
  const total = entryOf.size + unreadable.length;
  const duplicates = total - stored - letters.length;
  return { stored, dead: letters.length, duplicates, letters };
}

function hasNul(event: CanonicalEvent): boolean {
  return Object.values(event).some((value) => typeof value === 'string' && value.includes('\0'));
}

function causeOfFailure({ code, message, detail }: Failure): DeathCause {
  return { reason: reasonOf(code), sqlstate: code, message, detail };
}

function causeOfUnreadable({ code, message }: NonNullable<DecodedEntry['unreadable']>): DeathCause {
  return { reason: code, sqlstate: null, message, detail: null };
}

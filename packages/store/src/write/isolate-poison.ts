import type { Span } from '@opentelemetry/api';
import { type Kysely, sql } from 'kysely';
import { inSpan } from '@sluice/daemon/telemetry/in-span';
import type { CanonicalEvent } from '@sluice/events/canonical-event';
import type { Database } from '../database.ts';
import type { DeathCause } from '../dead-letter-reasons.ts';
import { inTransaction } from '../transaction.ts';
import { areKnown, deadEntry, deadEvents, insertDeadLetters, type Poisoned, reasonOf } from './dead-letter.ts';
import type { DecodedEntry } from './decode-entry.ts';
import { enterSegment } from './enter-segment.ts';
import { insertEvents } from './event-statements.ts';
import { classifyFailure, type Failure, mayBeRowError } from './failure-policy.ts';
import { screenEvents } from './screen-events.ts';
import { settleReplays } from './settle-replays.ts';
import { firstOfEachId, type Written } from './write-events.ts';

/** Runs work in a transaction, as `inTransaction` does. */
type Transact = (database: Database, work: (db: Kysely<unknown>) => Promise<Written>) => Promise<Written>;

/**
 * Stores a batch in which something cannot be stored. One transaction stores the good events, and a dead letter for each
 * bad event and for each unreadable entry.
 *
 * First one statement screens all events at once. Halving inside savepoints finds what screening does not see, with at
 * most 6·k·⌈log₂ n⌉ + 3 statements for k bad events among n. Inside savepoints only events are written.
 *
 * @param transact runs the transaction; that of a dry run rolls it back
 * @param moved called after each step of a few statements
 * An event that a constraint or a trigger refuses is bad only if another event of the batch is stored: when none is, the
 * table refuses all of them.
 *
 * @throws an error that is not due to an event: the caller decides whether to retry the whole
 */
export async function isolatePoison(
  database: Database,
  entries: readonly DecodedEntry[],
  transact: Transact = inTransaction,
  moved: () => void = () => {},
): Promise<Written> {
  try {
    return await transact(database, (db) => isolate(db, entries, screenEvents, moved));
  } catch (error) {
    // A value that no text parameter can hold (U+0000) fails the screening itself. Halving finds it too.
    if (classifyFailure(error).kind !== 'row') throw error;
    return transact(database, (db) => isolate(db, entries, async () => [], moved));
  }
}

async function isolate(
  db: Kysely<unknown>,
  entries: readonly DecodedEntry[],
  screen: typeof screenEvents,
  moved: () => void,
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
  const poisoned: Poisoned[] = await screen(db, events);
  moved();
  const bad = new Set(poisoned.map((each) => each.event));
  const rest = events.filter((event) => !bad.has(event));
  // Screening found nothing: then the whole is sure to fail, so halving starts at once.
  const halves = poisoned.length > 0 || aside.length > 0 ? [rest] : halvesOf(rest);
  const found: Found = { segment, stored: 0, poisoned, moved, refusals: [] };
  for (const half of halves) await bisect(db, half, found);
  const byEntry = Map.groupBy([...poisoned, ...aside], ({ event }) => entryOf.get(event)!);
  const drafts = [...byEntry].flatMap(([entry, its]) => deadEvents(entry, its));
  // A dead letter that fails again in its replay is one again, whatever happened to others.
  const refusal = found.refusals.find(({ event }) => entryOf.get(event)!.replayOf === null);
  if (refusal !== undefined && found.stored === 0 && !(await areKnown(db, drafts))) throw refusal.error;
  const letters = await insertDeadLetters(db, [...drafts, ...unreadable]);
  moved();
  await settleReplays(db, entries, segment);
  const total = entryOf.size + unreadable.length;
  const duplicates = total - found.stored - letters.length;
  return { stored: found.stored, dead: letters.length, duplicates, letters };
}

/** Results of a bisection so far. */
interface Found {
  /** The hot segment. */
  readonly segment: number;
  /** Number of new events. */
  stored: number;
  readonly poisoned: Poisoned[];
  readonly moved: () => void;
  /** Errors that are row errors only when another event can be stored. */
  readonly refusals: { readonly event: CanonicalEvent; readonly error: unknown }[];
}

/** Inserts all events, or halves them until each event that fails is alone. */
async function bisect(db: Kysely<unknown>, events: readonly CanonicalEvent[], found: Found): Promise<void> {
  if (events.length === 0) return;
  const attempt = await inSpan('isolate half', { attributes: { 'sluice.events': events.length } }, (span) =>
    inSavepoint(db, span, async () => Number((await insertEvents(events, found.segment).execute(db)).rows[0]!.stored)),
  );
  found.moved();
  if (attempt.ok) {
    found.stored += attempt.value;
  } else if (events.length === 1) {
    if (attempt.failure.kind !== 'row') found.refusals.push({ event: events[0]!, error: attempt.error });
    found.poisoned.push({ event: events[0]!, cause: causeOfFailure(attempt.failure) });
  } else {
    for (const half of halvesOf(events)) await bisect(db, half, found);
  }
}

function halvesOf<T>(items: readonly T[]): readonly (readonly T[])[] {
  if (items.length <= 1) return [items];
  const middle = Math.ceil(items.length / 2);
  return [items.slice(0, middle), items.slice(middle)];
}

type Attempt<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly failure: Failure; readonly error: unknown };

/** Runs three statements: SAVEPOINT, the work, and RELEASE or ROLLBACK TO. Catches only what may be due to an event. */
async function inSavepoint<T>(db: Kysely<unknown>, span: Span, work: () => Promise<T>): Promise<Attempt<T>> {
  await sql`SAVEPOINT isolate`.execute(db);
  try {
    const value = await work();
    await sql`RELEASE SAVEPOINT isolate`.execute(db);
    return { ok: true, value };
  } catch (error) {
    const failure = classifyFailure(error);
    if (failure.kind !== 'row' && !mayBeRowError(error)) throw error;
    // The step has not failed: to find this error is its purpose.
    span.setAttribute('db.response.status_code', failure.code);
    await sql`ROLLBACK TO SAVEPOINT isolate`.execute(db);
    return { ok: false, failure, error };
  }
}

function causeOfFailure({ code, message, detail }: Failure): DeathCause {
  return { reason: reasonOf(code), sqlstate: code, message, detail };
}

function causeOfUnreadable({ code, message }: NonNullable<DecodedEntry['unreadable']>): DeathCause {
  return { reason: code, sqlstate: null, message, detail: null };
}

import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { Database } from '@sluice/store/database';
import { type Fence, readFence } from '@sluice/store/fence/fence';
import { observeTransactions } from '@sluice/store/fence/observe-transactions';
import { firstOpenSegment } from '@sluice/store/fence/open-segments';
import type { Folded, FoldedProjection, FoldOptions } from '@sluice/store/projection';
import { inTransaction } from '@sluice/store/transaction';
import { endedBefore, readMoment } from './ended-before.ts';
import { foldWindow } from './fold-window.ts';
import { type Generation, lockGenerations } from './generations.ts';

/** A longer stretch of `stored_at` than this is folded window by window, in milliseconds. */
const ONE_GO_MS = 60_000;

/** Target number of events for one transaction while folding a backlog. */
const WINDOW_EVENTS = 200_000;

/** Least target, after windows that took longer than a statement may. */
const LEAST_WINDOW_EVENTS = 1_000;

/** SQLSTATE of a statement that was cancelled, by its time-out or by somebody. */
const STATEMENT_TIMEOUT = '57014';

/** A window with more than this times the target is narrowed first: after a quiet stretch it may be days wide. */
const MOST_WINDOWS = 4;

/** First width of a window, in milliseconds. Later widths follow the number of events. */
const FIRST_WINDOW_MS = 10_000;

/** Widest window, in milliseconds. Without it, doubling in a long quiet time would have no end. */
const WIDEST_WINDOW_MS = 7 * 24 * 3_600_000;

/** What one transaction did. */
interface Step {
  /** Folded a slice of time, some transactions, all up to the fence, or nothing because the slice held too many. */
  readonly did: 'slice' | 'transactions' | 'all' | 'too_many';
  readonly events: number;
}

/**
 * Folds everything up to the fence into one generation, in bounded transactions. Each moves the position together with
 * the rows, so an interruption neither counts an event twice nor leaves one out.
 *
 * @param options.windowEvents target number of events for one transaction while folding a backlog
 * @throws when the position belongs to another cluster
 */
export async function fold(
  database: Database,
  projections: readonly FoldedProjection[],
  state: Generation['state'],
  options: FoldOptions & { windowEvents?: number },
): Promise<Folded> {
  let { windowEvents = WINDOW_EVENTS } = options;
  let events = 0;
  let widthMs = FIRST_WINDOW_MS;
  await observeTransactions(database.db);
  while (options.goOn()) {
    const size = { widthMs, windowEvents };
    let step: Step;
    try {
      step = await inTransaction(database, (db) => foldStep(db, projections, state, size));
    } catch (error) {
      // On a machine that is too busy for a window, each later one would be larger still.
      if ((error as { code?: unknown }).code !== STATEMENT_TIMEOUT || windowEvents <= LEAST_WINDOW_EVENTS) throw error;
      windowEvents = Math.max(LEAST_WINDOW_EVENTS, Math.round(windowEvents / 4));
      continue;
    }
    if (step.did !== 'too_many' && step.events > 0) {
      events += step.events;
      options.onEvents?.(events);
    }
    if (step.did === 'all') return { events, end: 'caught_up' };
    if (step.did === 'transactions') continue;
    // Towards the target, but at most doubled: a quiet hour predicts little about the next.
    const wanted = widthMs * Math.min(2, windowEvents / Math.max(1, step.events));
    widthMs = Math.min(WIDEST_WINDOW_MS, Math.max(1, Math.round(wanted)));
  }
  return { events, end: 'stopped' };
}

/** How much of a backlog one step folds. */
interface Size {
  readonly widthMs: number;
  readonly windowEvents: number;
}

/** What one step works on. */
interface StepContext {
  readonly db: Kysely<unknown>;
  readonly projections: readonly FoldedProjection[];
  readonly position: Generation;
  /** Rows at or after the position are in this segment or a later one. */
  readonly firstSegment: number;
  readonly size: Size;
}

async function foldStep(
  db: Kysely<unknown>,
  projections: readonly FoldedProjection[],
  state: Generation['state'],
  size: Size,
): Promise<Step> {
  const position = (await lockGenerations(db)).find((each) => each.state === state);
  if (position === undefined) throw new Error(`there are no ${state} roll-ups`);
  const moment = await readMoment(db);
  const fence = await readFence(db);
  checkCluster(position, fence);
  const firstSegment = await firstOpenSegment(db, position);
  const context: StepContext = { db, projections, position, firstSegment, size };
  const { behind_ms: behindMs, floor } = await compareFloors(db, position, fence);
  if (behindMs > ONE_GO_MS) return foldSlice(context, fence);
  const open = sql<boolean>`${atOrAfter(context)} AND tx < ${fence.tx}::xid8`;
  const mostEvents = MOST_WINDOWS * size.windowEvents;
  if ((await countSome(db, open, mostEvents)) === mostEvents) return foldTransactions(context, open);
  // What the new position covers and the old one did not. Below the floor there may be ids above the fence's: those of the
  // cluster that this one was restored from. Above the floor they stay in the tail until the floor has passed them.
  const rest = sql<boolean>`${atOrAfter(context)} AND (tx < ${fence.tx}::xid8 OR stored_at < ${floor}::timestamptz)`;
  const events = await addWindow(context, rest);
  await moveTo(context, { tx: fence.tx, floor, foldedTo: await endedBefore(db, fence, moment) }, events);
  return { did: 'all', events };
}

/** The rows that are not folded, complete or not. The segment's number is bound as a parameter, so that it prunes. */
function atOrAfter({ position, firstSegment }: StepContext): RawBuilder<boolean> {
  return sql<boolean>`
    segment >= ${firstSegment}::integer AND stored_at >= ${position.floor}::timestamptz AND tx >= ${position.tx}::xid8`;
}

/** Adds a window to all projections. @returns number of events */
async function addWindow(
  { db, projections, position, firstSegment }: StepContext,
  which: RawBuilder<boolean>,
): Promise<number> {
  if (position.state === 'building' || firstSegment > 0) return foldWindow(db, projections, position, which);
  // Weekly partitions have the number 0.
  const others = projections.filter(({ sinceSegments }) => sinceSegments !== true);
  return (
    (await foldWindow(db, others, position, sql<boolean>`segment < 1 AND ${which}`)) +
    (await foldWindow(db, projections, position, sql<boolean>`segment >= 1 AND ${which}`))
  );
}

/** How far the position is before the fence's floor, and the later of the two floors. */
async function compareFloors(db: Kysely<unknown>, position: Generation, fence: Fence): Promise<Floors> {
  const { rows } = await sql<Floors>`
    SELECT (extract(epoch FROM fence - position) * 1000)::float8 AS behind_ms,
           greatest(fence, position)::text AS floor
    FROM (SELECT ${fence.floor}::timestamptz, ${position.floor}::timestamptz) AS f (fence, position)`.execute(db);
  return rows[0]!;
}

interface Floors {
  behind_ms: number;
  floor: string;
}

/** Folds one slice of `stored_at`. Every transaction before the fence's floor has ended, so slices are complete. */
async function foldSlice(context: StepContext, fence: Fence): Promise<Step> {
  const { db, position } = context;
  const { widthMs, windowEvents } = context.size;
  const ends = await sql<{ until: string }>`
    SELECT least(${position.floor}::timestamptz + make_interval(secs => ${widthMs / 1000}),
                 ${fence.floor}::timestamptz)::text AS until`.execute(db);
  const { until } = ends.rows[0]!;
  // The bound is a separate parameter, so that it prunes partitions when the statement is planned.
  const slice = sql<boolean>`${atOrAfter(context)} AND stored_at < ${until}::timestamptz`;
  const mostEvents = MOST_WINDOWS * windowEvents;
  const found = await countSome(db, slice, mostEvents);
  if (found === mostEvents && widthMs > 1) return { did: 'too_many', events: found };
  const events = found === 0 ? 0 : await addWindow(context, slice);
  await moveTo(context, { tx: position.tx, floor: until, foldedTo: until }, events);
  return { did: 'slice', events };
}

/**
 * Folds some of what is below the fence, by transaction ids. The fence's floor is a minute old, and at 10,000 events a
 * second that minute alone is too much for one step. Every transaction below the fence has ended, and so has any part of
 * them that begins at the position. The floor stays: the rest of the transactions may have begun right after it.
 */
async function foldTransactions(context: StepContext, open: RawBuilder<boolean>): Promise<Step> {
  const { db, position } = context;
  // Each step reads everything from the floor on, so it takes twice the target; of a larger transaction all.
  const { rows } = await sql<{ tx: string }>`
    SELECT (coalesce(min(tx) FILTER (WHERE upto >= ${2 * context.size.windowEvents}), max(tx))::text::bigint + 1)::text AS tx
    FROM (SELECT tx, sum(count(*)) OVER (ORDER BY tx) AS upto FROM events WHERE ${open} GROUP BY tx) AS e`.execute(db);
  const { tx } = rows[0]!;
  const events = await addWindow(context, sql<boolean>`${open} AND tx < ${tx}::xid8`);
  await moveTo(context, { tx, floor: position.floor, foldedTo: position.floor }, events);
  return { did: 'transactions', events };
}

/** Counts up to `most`. */
async function countSome(db: Kysely<unknown>, which: RawBuilder<boolean>, most: number): Promise<number> {
  const { rows } = await sql<{ count: string }>`
    SELECT count(*) FROM (SELECT FROM events WHERE ${which} LIMIT ${most}) AS e`.execute(db);
  return Number(rows[0]!.count);
}

function checkCluster(position: Generation, fence: Fence): void {
  if (position.systemIdentifier === fence.systemIdentifier) return;
  throw new Error(
    `the roll-ups were made in another cluster (${position.systemIdentifier}; this one is ${fence.systemIdentifier}), ` +
      'whose transaction ids mean nothing here; build them again: sluice jobs run rebuild-rollups',
  );
}

/** Where a step ends. */
interface NewPosition {
  readonly tx: string;
  readonly floor: string;
  /** What was committed before this time is in. */
  readonly foldedTo: string;
}

async function moveTo({ db, position }: StepContext, to: NewPosition, events: number): Promise<void> {
  // A maintenance worker of 0.1.0 does not say this, and is refused: it folds no sessions.
  await sql`SELECT set_config('sluice_fold.of', 'sessions', true)`.execute(db);
  await sql`
    UPDATE rollup_generations
    SET tx = ${to.tx}::xid8, floor = ${to.floor}::timestamptz, folded_at = clock_timestamp(), events = events + ${events},
        folded_to = greatest(folded_to, ${to.foldedTo}::timestamptz)
    WHERE generation = ${position.generation}`.execute(db);
}

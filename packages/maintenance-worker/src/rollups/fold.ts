import { setTimeout as delay } from 'node:timers/promises';
import { type Kysely, type RawBuilder, sql } from 'kysely';
import { inTransaction } from '@sluice/shared/database/in-transaction';
import { kyselyOf } from '@sluice/shared/database/kysely-of';
import type { Orm } from '@sluice/shared/database/orm';
import { type Fence, readFence } from '../fence/fence.ts';
import { observeTransactions } from '../fence/observe-transactions.ts';
import { foldWindow } from './fold-window.ts';
import { type Generation, lockGenerations } from './generations.ts';

/** More of `stored_at` than this is folded window by window, in milliseconds. */
const ONE_GO_MS = 60_000;

/** How often, and for how long at most, the fence is waited for, in milliseconds. */
const POLL_MS = 50;
const PATIENCE_MS = 5_000;

/** About this many events are folded in one transaction of a backlog. */
const WINDOW_EVENTS = 100_000;

/** So many times as many are not folded in one transaction: behind a quiet stretch a window may be days wide. */
const MOST_WINDOWS = 4;

/** First width of a window, in milliseconds; from there it is fitted to how many events there are. */
const FIRST_WINDOW_MS = 10_000;

/** A window is never wider, in milliseconds: behind a long quiet time it would be doubled without end. */
const WIDEST_WINDOW_MS = 7 * 24 * 3_600_000;

/** What one call of `fold` did. */
export interface Folded {
  readonly events: number;
  /**
   * `caught_up`: everything up to the fence is in. `held_back`: events of another cluster are above the floor, and one that
   * has been open since before keeps it where it is. `stopped`: told to, with more to do.
   */
  readonly end: 'caught_up' | 'held_back' | 'stopped';
}

/** What one transaction did. */
interface Step {
  /** A window of a backlog, all up to the fence, or nothing: the window held too many, or the floor must move first. */
  readonly did: 'window' | 'all' | 'too_many' | 'stale';
  readonly events: number;
}

/**
 * Folds everything up to the fence into one generation, in bounded transactions. Each moves the position with what it
 * adds, so whatever ends this, nothing is counted twice and nothing is left out.
 *
 * @param options.goOn asked between two transactions
 * @param options.windowEvents about so many are folded in one transaction of a backlog
 * @throws when the position is of another cluster
 */
export async function fold(
  orm: Orm,
  state: Generation['state'],
  options: { goOn: () => boolean; onEvents?: (events: number) => void; windowEvents?: number },
): Promise<Folded> {
  const { windowEvents = WINDOW_EVENTS } = options;
  let events = 0;
  let widthMs = FIRST_WINDOW_MS;
  let staleSince: number | null = null;
  await observeTransactions(kyselyOf(orm));
  while (options.goOn()) {
    const step = await inTransaction(orm, (db) => foldStep(db, state, { widthMs, windowEvents }));
    if (step.did === 'stale') {
      if (staleSince === null) await observeTransactions(kyselyOf(orm));
      staleSince ??= performance.now();
      if (performance.now() - staleSince > PATIENCE_MS) return { events, end: 'held_back' };
      await delay(POLL_MS);
      continue;
    }
    staleSince = null;
    if (step.did !== 'too_many' && step.events > 0) {
      events += step.events;
      options.onEvents?.(events);
    }
    if (step.did === 'all') return { events, end: 'caught_up' };
    // Towards the wanted size, but at most doubled: a quiet hour says little about the next.
    const wanted = widthMs * Math.min(2, windowEvents / Math.max(1, step.events));
    widthMs = Math.min(WIDEST_WINDOW_MS, Math.max(1, Math.round(wanted)));
  }
  return { events, end: 'stopped' };
}

/** How much of a backlog is taken at once. */
interface Size {
  readonly widthMs: number;
  readonly windowEvents: number;
}

async function foldStep(db: Kysely<unknown>, state: Generation['state'], size: Size): Promise<Step> {
  const mostEvents = MOST_WINDOWS * size.windowEvents;
  const position = (await lockGenerations(db)).find((each) => each.state === state);
  if (position === undefined) throw new Error(`there are no ${state} roll-ups`);
  const fence = await readFence(db);
  checkCluster(position, fence);
  const { behind_ms: behindMs, floor } = await compareFloors(db, position, fence);
  if (behindMs > ONE_GO_MS) return foldSlice(db, position, fence, size);
  if (await hasForeignEvents(db, position)) return { did: 'stale', events: 0 };
  const open = sql<boolean>`
    stored_at >= ${position.floor}::timestamptz AND tx >= ${position.tx}::xid8 AND tx < ${fence.tx}::xid8`;
  if ((await countSome(db, open, mostEvents)) === mostEvents)
    return foldTransactions(db, position, open, mostEvents / 2);
  const events = await foldWindow(db, position.generation, open);
  await moveTo(db, position, { tx: fence.tx, floor }, events);
  return { did: 'all', events };
}

/** How far the position is behind the fence's floor, and the later one of the two floors. */
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

/** Everything stored before the fence's floor has ended, so a backlog can be taken in slices of `stored_at`. */
async function foldSlice(
  db: Kysely<unknown>,
  position: Generation,
  fence: Fence,
  { widthMs, windowEvents }: Size,
): Promise<Step> {
  const ends = await sql<{ until: string }>`
    SELECT least(${position.floor}::timestamptz + make_interval(secs => ${widthMs / 1000}),
                 ${fence.floor}::timestamptz)::text AS until`.execute(db);
  const { until } = ends.rows[0]!;
  // The bound is a parameter of its own: partitions are pruned by it when the statement is planned.
  const slice = sql<boolean>`
    stored_at >= ${position.floor}::timestamptz AND stored_at < ${until}::timestamptz AND tx >= ${position.tx}::xid8`;
  const mostEvents = MOST_WINDOWS * windowEvents;
  const found = await countSome(db, slice, mostEvents);
  if (found === mostEvents && widthMs > 1) return { did: 'too_many', events: found };
  const events = found === 0 ? 0 : await foldWindow(db, position.generation, slice);
  await moveTo(db, position, { tx: position.tx, floor: until }, events);
  return { did: 'window', events };
}

/**
 * Some of what the fence is beyond, by transaction ids. The fence's floor is a minute behind, and at 10,000 events a second
 * that minute alone is too much for one go; but whatever is below the fence has ended, and so has any part of it that
 * begins at the position. The floor stays: transactions of the rest may have begun right behind it.
 */
async function foldTransactions(
  db: Kysely<unknown>,
  position: Generation,
  open: RawBuilder<boolean>,
  about: number,
): Promise<Step> {
  // Rows lie nearly in the order of their ids, so the first ones that are found are about the lowest. It decides of the size only.
  const { rows } = await sql<{ tx: string }>`
    SELECT (max(tx)::text::bigint + 1)::text AS tx
    FROM (SELECT tx FROM events WHERE ${open} LIMIT ${about}) AS e`.execute(db);
  const { tx } = rows[0]!;
  const events = await foldWindow(db, position.generation, sql<boolean>`${open} AND tx < ${tx}::xid8`);
  await moveTo(db, position, { tx, floor: position.floor }, events);
  return { did: 'window', events };
}

/** How many there are, up to `most`. */
async function countSome(db: Kysely<unknown>, which: RawBuilder<boolean>, most: number): Promise<number> {
  const { rows } = await sql<{ count: string }>`
    SELECT count(*) FROM (SELECT FROM events WHERE ${which} LIMIT ${most}) AS e`.execute(db);
  return Number(rows[0]!.count);
}

function checkCluster(position: Generation, fence: Fence): void {
  if (position.systemIdentifier === fence.systemIdentifier) return;
  throw new Error(
    `the roll-ups were made in another cluster (${position.systemIdentifier}; this one is ${fence.systemIdentifier}), ` +
      'whose transaction ids mean nothing here; make them anew: sluice jobs run rebuild-rollups',
  );
}

/**
 * Events that another cluster stored a moment before this one was restored from it. No fence of this cluster comes to
 * their ids, so they wait until the floor is beyond them. A visible event of this cluster is below its snapshot's end.
 */
async function hasForeignEvents(db: Kysely<unknown>, { tx, floor }: Generation): Promise<boolean> {
  if (tx !== '0') return false;
  const { rows } = await sql<{ found: boolean }>`
    SELECT EXISTS (SELECT FROM events WHERE stored_at >= ${floor}::timestamptz
                   AND tx >= pg_snapshot_xmax(pg_current_snapshot())) AS found`.execute(db);
  return rows[0]!.found;
}

async function moveTo(
  db: Kysely<unknown>,
  { generation }: Generation,
  to: Pick<Generation, 'tx' | 'floor'>,
  events: number,
): Promise<void> {
  await sql`
    UPDATE rollup_generations
    SET tx = ${to.tx}::xid8, floor = ${to.floor}::timestamptz, folded_at = clock_timestamp(), events = events + ${events}
    WHERE generation = ${generation}`.execute(db);
}

import type { Kysely, RawBuilder, SqlBool } from 'kysely';
import type { Database } from './database.ts';

/**
 * A projection: tables that are derived from stored events and can be rebuilt from them. Implementations are in
 * packages/projections, one folder each. Code that stores, folds or deletes events gets them as a list.
 *
 *     events stored ──► apply (in-transaction)      in the writing transaction: exact per entity at COMMIT
 *                  └──► fold  (folded)              later, everything below the fence, each event once
 *     events deleted ─► unfold                      in the deleting transaction
 *     from scratch ───► rebuild                     while readers see the old rows
 */
export type Projection = InTransactionProjection | FoldedProjection;

interface ProjectionBase {
  readonly name: string;
  /** Tables that it alone writes. */
  readonly tables: readonly string[];
  readonly unfold: Unfold;
}

/** A projection whose rows must be right at the moment an event is stored. */
export interface InTransactionProjection extends ProjectionBase {
  readonly kind: 'in-transaction';
  /**
   * Adds events that this transaction has stored. Locks rows in the order of their keys.
   *
   * @param stored a query for the stored events' columns
   */
  apply(db: Kysely<unknown>, stored: RawBuilder<unknown>): Promise<void>;
  /**
   * Builds the rows again from the events, beside the current ones, and replaces those in one step. The next rebuild
   * continues an interrupted one.
   *
   * @returns number of events in the new rows
   * @throws when the signal is aborted
   */
  rebuild(database: Database, options: RebuildOptions): Promise<number>;
}

/**
 * A projection that follows the fence. It never makes a transaction that stores events wait for another one.
 *
 * All folded projections are folded together: one pass over the events, one position, one transaction for each window. A
 * rebuild folds all of them into a generation that nobody reads, and puts that in place in one transaction.
 */
export interface FoldedProjection extends ProjectionBase {
  readonly kind: 'folded';
  /** True when the transactions of 0.1.0 that stored the events of weekly partitions have written its rows too. */
  readonly sinceSegments?: true;
  /**
   * Parts of the statement that adds one window of events: common table expressions as `name AS (…)`, with names that
   * begin with the projection's.
   */
  fold(window: FoldWindow): readonly RawBuilder<unknown>[];
  readonly rebuild: Rebuild;
}

/** What a projection does of a rebuild, beside folding. */
export interface Rebuild {
  /** Makes room for a new generation, in the transaction that begins it. */
  begin(db: Kysely<unknown>): Promise<void>;
  /** Puts the rebuilt rows in the place of the current ones, in the transaction that makes their generation the live one. */
  replace(db: Kysely<unknown>): Promise<void>;
  /**
   * Deletes rows of a generation that is no longer read: one batch.
   *
   * @returns false when none were left
   */
  drop(db: Kysely<unknown>, generation: number): Promise<boolean>;
}

/** A window of events, each of which is folded once. */
export interface FoldWindow {
  readonly generation: number;
  /** `building`: for a rebuild, into rows that nobody reads yet. */
  readonly state: 'building' | 'live';
  /** A condition on `events` that selects the window. */
  readonly events: RawBuilder<SqlBool>;
  /**
   * Name of the shared first aggregate, with a row for each `(tenant, hour, session_id, actor, event_type)`: number of
   * `events`, `first_at` and `last_at` of their `occurred_at`, `last_stored_at`, `machine_name`, `user_domain`. Grouping
   * these few rows again is cheaper than grouping the events once for each projection.
   */
  readonly groups: RawBuilder<unknown>;
}

export interface FoldOptions {
  /** Called between two transactions; false ends the fold. */
  readonly goOn: () => boolean;
  /** Called with the number of events folded so far. */
  readonly onEvents?: (events: number) => void;
}

/** What one fold did. */
export interface Folded {
  readonly events: number;
  /** `caught_up`: everything up to the fence is in. `stopped`: `goOn` returned false before that. */
  readonly end: 'caught_up' | 'stopped';
}

export interface RebuildOptions {
  readonly signal: AbortSignal;
  /** Called with the number of events done so far, and an estimate of their total. */
  readonly progress: (done: number, of?: number) => void;
}

/**
 * Takes deleted events out of a projection, in the transaction that deletes them. The caller runs `lock`, then one statement
 * that deletes the events and reads what `collect` selects of them, then `subtract` with the answer.
 *
 * There are two steps because the events are gone after their statement, and only the projection knows what it needs of
 * them. The events themselves never leave Postgres.
 */
export interface Unfold {
  /** Columns of `events` that `collect` reads, beside `tenant`, `event_id`, `stored_at`, `occurred_at` and `tx`. */
  readonly columns: readonly string[];
  /** Blocks folds and rebuilds until the end of the transaction. */
  lock(db: Kysely<unknown>): Promise<void>;
  /**
   * A query for what `subtract` needs: one row.
   *
   * @param events a query for the deleted events
   */
  collect(events: RawBuilder<unknown>): RawBuilder<unknown>;
  /** @param collected the row of `collect`, as JSON of Postgres */
  subtract(db: Kysely<unknown>, collected: unknown): Promise<void>;
}

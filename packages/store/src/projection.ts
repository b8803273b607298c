import type { Kysely, RawBuilder } from 'kysely';
import type { Database } from './database.ts';

/**
 * A projection: tables that are derived from stored events and can be rebuilt from them. Implementations lie in
 * packages/projections, one folder each; whoever stores, folds or deletes events takes them as a list.
 *
 *     events stored ──► apply (in-transaction)      in the writing transaction: exact per entity at COMMIT
 *                  └──► fold  (folded)              later, everything below the fence, each event once
 *     events deleted ─► unfold                      in the deleting transaction
 *     from scratch ───► rebuild                     while readers see the old rows
 */
export type Projection = InTransactionProjection | FoldedProjection;

interface ProjectionBase {
  readonly name: string;
  /** Tables that it writes. Nobody else writes them. */
  readonly tables: readonly string[];
  readonly unfold: Unfold;
  /**
   * Builds the rows again from the events, beside those that are read, and replaces them in one step. An interrupted
   * rebuild is continued by the next one.
   *
   * @returns how many events are in the new rows
   * @throws when the signal is aborted
   */
  rebuild(database: Database, options: RebuildOptions): Promise<number>;
}

/** A projection of which each row must be right the moment an event is stored. */
export interface InTransactionProjection extends ProjectionBase {
  readonly kind: 'in-transaction';
  /**
   * Adds events that this transaction has stored. Rows are locked in the order of their keys.
   *
   * @param stored a query for the stored events' columns
   */
  apply(db: Kysely<unknown>, stored: RawBuilder<unknown>): Promise<void>;
}

/** A projection that follows the fence: no transaction that stores events waits for another one because of it. */
export interface FoldedProjection extends ProjectionBase {
  readonly kind: 'folded';
  /**
   * Adds everything between its position and the fence, in bounded transactions. Each moves the position together with
   * the rows, so an interruption neither loses an event nor counts one twice.
   *
   * @throws when the position is of another cluster
   */
  fold(database: Database, options: FoldOptions): Promise<Folded>;
}

export interface FoldOptions {
  /** Asked between two transactions; false ends the fold. */
  readonly goOn: () => boolean;
  /** Called with the number of events folded so far. */
  readonly onEvents?: (events: number) => void;
}

/** What one fold did. */
export interface Folded {
  readonly events: number;
  /** `caught_up`: everything up to the fence is in. `stopped`: `goOn` said so, with more to do. */
  readonly end: 'caught_up' | 'stopped';
}

export interface RebuildOptions {
  readonly signal: AbortSignal;
  /** Called with events done so far and about how many there are. */
  readonly progress: (done: number, of?: number) => void;
}

/**
 * How deleted events leave a projection, in the transaction that deletes them. In this order: `lock`; one statement that
 * deletes the events and reads what `collect` says of them; `subtract` with the answer.
 *
 * Two steps and not one, because the events are gone after their statement, and only the projection knows what to
 * remember of them. The events themselves never leave Postgres.
 */
export interface Unfold {
  /** Columns of `events` that `collect` reads, beside `tenant`, `event_id`, `stored_at`, `occurred_at` and `tx`. */
  readonly columns: readonly string[];
  /** Keeps folds and rebuilds out until the end of the transaction. */
  lock(db: Kysely<unknown>): Promise<void>;
  /**
   * A query for what has to be taken out: one row.
   *
   * @param events a query for the deleted events
   */
  collect(events: RawBuilder<unknown>): RawBuilder<unknown>;
  /** @param collected the row of `collect`, as Postgres writes it in JSON */
  subtract(db: Kysely<unknown>, collected: unknown): Promise<void>;
}

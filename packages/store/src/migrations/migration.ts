import type { Database } from '../database.ts';
import type { Client } from '../pool.ts';

/** A change of the schema. A published one never changes: the next one fixes its mistakes. */
export interface Migration {
  /** Number and subject, e.g. `0007-session-order`. */
  readonly name: string;
  /**
   * Version of the oldest daemon that can run against the schema after it. Expand, then contract: only a migration of a
   * later version takes away what such a daemon reads or writes, and it names a later version here.
   */
  readonly compatibleSince: string;
  /** Run in one transaction, which holds their locks until its end. */
  readonly statements: readonly string[];
  /** Built after the statements, one by one, each outside of any transaction and without stopping writers. */
  readonly indexes?: readonly ConcurrentIndex[];
  /** Run after the indexes, outside of any transaction. An interrupted one is run again: each of its steps can be repeated. */
  readonly online?: OnlineStep;
}

/** Work on tables that are written to meanwhile. @param client holds the lock of the migrations */
export type OnlineStep = (database: Database, client: Client) => Promise<void>;

/** An index that is built while the table is written to. */
export interface ConcurrentIndex {
  readonly name: string;
  /** The text after the name: `ON sessions (tenant, started_at)`. */
  readonly definition: string;
  readonly unique?: boolean;
}

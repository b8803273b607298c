/** A change of the schema. A published one is never changed: a mistake in it is fixed by the next. */
export interface Migration {
  /** Number and subject, e.g. `0007-session-order`. */
  readonly name: string;
  /**
   * `compatible_since`: version of the oldest daemon that can run against the schema after it. Expand, then contract: what
   * such a daemon reads or writes is only taken away by a migration of a later version, which says a later one here.
   */
  readonly compatibleSince: string;
  /** Run in one transaction. Locks that they take are held until its end. */
  readonly statements: readonly string[];
  /** Built after the statements, one after the other, each outside of any transaction and without stopping writers. */
  readonly indexes?: readonly ConcurrentIndex[];
}

/** An index that is built while the table is written to. */
export interface ConcurrentIndex {
  readonly name: string;
  /** What comes after the name: `ON sessions (tenant, started_at)`. */
  readonly definition: string;
}

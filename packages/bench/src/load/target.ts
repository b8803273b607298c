/** Accepts batches of events over HTTP and stores them: Sluice, or what one would build instead. */
export interface Target {
  readonly name: string;
  /** Where `{"events":[…]}` is posted to. */
  readonly url: string;
  /** Batches that are acknowledged and not committed yet, exactly. */
  waiting(): Promise<number>;
  /** Events in its database, counted. */
  stored(): Promise<number>;
  /** Empties its tables, so that each measurement starts equal. */
  empty(): Promise<void>;
}

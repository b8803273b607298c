/** Why an event or an entry became a dead letter. A test compares them with `docs/reference/errors.md`. */
export const DEAD_LETTER_REASONS = {
  invalid_value: 'PostgreSQL refused a value of the event (SQLSTATE class 22).',
  missing_value: 'A column that must have a value got none (SQLSTATE 23502).',
  constraint_violation:
    'A constraint, an index, a foreign key or a trigger refused the event, and stored others (SQLSTATE class 23, P0001).',
  too_complex: 'The event is beyond a limit of PostgreSQL (SQLSTATE 54000, 54001).',
  unknown_version: 'The entry was written by a newer version of Sluice.',
  malformed_header: 'The header of the entry cannot be read.',
  malformed_body: 'The body of the entry cannot be decompressed or parsed.',
  set_aside: 'An operator set the entry aside, because it stalled a writer.',
  kills_reader: 'A writer died each time it worked on this entry, the last time on nothing else.',
} as const;

export type DeadLetterReason = keyof typeof DEAD_LETTER_REASONS;

/** Why an event or an entry cannot be stored. */
export interface DeathCause {
  readonly reason: DeadLetterReason;
  readonly sqlstate: string | null;
  readonly message: string;
  readonly detail: string | null;
}

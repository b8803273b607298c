/** Why an event or an entry became a dead letter. A test compares them with `docs/reference/errors.md`. */
export const DEAD_LETTER_REASONS = {
  invalid_value: 'PostgreSQL refused a value of the event (SQLSTATE class 22).',
  missing_value: 'A column that must have a value got none (SQLSTATE 23502).',
  too_complex: 'The event is beyond a limit of PostgreSQL (SQLSTATE 54000, 54001).',
  unknown_version: 'The entry was written by a newer version of Sluice.',
  malformed_header: 'The header of the entry cannot be read.',
  malformed_body: 'The body of the entry cannot be decompressed or parsed.',
  kills_reader: 'A writer died each time it worked on this entry, the last time on nothing else.',
} as const;

export type DeadLetterReason = keyof typeof DEAD_LETTER_REASONS;

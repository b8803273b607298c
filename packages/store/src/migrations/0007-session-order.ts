/** How lists of sessions are read. */
export const name = '0007-session-order';
export const compatibleSince = '0.1.0';

export const statements: readonly string[] = [
  // IF NOT EXISTS: an operator may have made them beforehand, without a lock; see docs/operate/upgrade.md.
  // The start of a session hardly ever changes once it is there, so counting it up stays off this index (HOT).
  'CREATE INDEX IF NOT EXISTS sessions_started ON sessions (tenant, started_at, session_id)',
  'CREATE INDEX IF NOT EXISTS sessions_actor ON sessions (tenant, actor, started_at, session_id)',
];

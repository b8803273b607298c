/**
 * Tables of the peers: the columns and the indexes of Sluice's `events`, in one table that is not partitioned, with
 * the event id as its key (so it needs no ledger), and the same sessions.
 */
export const PEER_SCHEMA: readonly string[] = [
  `CREATE TABLE events (
     event_id uuid PRIMARY KEY,
     stored_at timestamptz(6) NOT NULL DEFAULT now(),
     tenant text NOT NULL DEFAULT 'default',
     event_type text NOT NULL,
     occurred_at timestamptz(6) NOT NULL,
     actor text,
     session_id text,
     correlation_id text,
     resource text,
     payload jsonb NOT NULL
   )`,
  'CREATE INDEX ON events (tenant, occurred_at)',
  'CREATE INDEX ON events (tenant, event_type, occurred_at)',
  'CREATE INDEX ON events (tenant, actor, occurred_at)',
  'CREATE INDEX ON events (tenant, session_id, occurred_at)',
  'CREATE INDEX ON events (tenant, resource, occurred_at)',
  'CREATE INDEX ON events (tenant, correlation_id, occurred_at)',
  'CREATE INDEX ON events USING brin (stored_at)',
  `CREATE TABLE sessions (
     tenant text NOT NULL,
     session_id text NOT NULL,
     actor text,
     started_at timestamptz(6) NOT NULL,
     last_event_at timestamptz(6) NOT NULL,
     last_seen_at timestamptz(6) NOT NULL,
     event_count bigint NOT NULL,
     PRIMARY KEY (tenant, session_id)
   )`,
  'ALTER TABLE sessions SET (fillfactor = 80)',
];

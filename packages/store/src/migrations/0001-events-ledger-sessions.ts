/** The ledger, the partitioned events and the sessions. Hand-written; see docs/decisions/0003-storage.md. */
export const name = '0001-events-ledger-sessions';
export const compatibleSince = '0.1.0';

export const statements = [
  `CREATE TABLE event_ids (
     tenant text NOT NULL,
     event_id uuid NOT NULL,
     stored_at timestamptz(6) NOT NULL,
     PRIMARY KEY (tenant, event_id)
   )`,
  // The primary key carries stored_at first because a partitioned table's key must hold the partition column.
  `CREATE TABLE events (
     stored_at timestamptz(6) NOT NULL DEFAULT now(),
     tenant text NOT NULL,
     event_id uuid NOT NULL,
     event_type text NOT NULL,
     occurred_at timestamptz(6) NOT NULL,
     received_at timestamptz(3) NOT NULL,
     actor text,
     session_id text,
     correlation_id text,
     resource text,
     client_ip inet,
     trace_id text,
     source text NOT NULL,
     flags text[],
     payload jsonb NOT NULL,
     tx xid8 NOT NULL DEFAULT pg_current_xact_id()
   ) PARTITION BY RANGE (stored_at)`,
  'CREATE INDEX events_occurred_at ON events (tenant, occurred_at)',
  'CREATE INDEX events_type ON events (tenant, event_type, occurred_at)',
  'CREATE INDEX events_actor ON events (tenant, actor, occurred_at)',
  'CREATE INDEX events_session ON events (tenant, session_id, occurred_at)',
  'CREATE INDEX events_resource ON events (tenant, resource, occurred_at)',
  'CREATE INDEX events_correlation ON events (tenant, correlation_id, occurred_at)',
  'CREATE INDEX events_stored_at ON events USING brin (stored_at)',
  `CREATE TABLE sessions (
     tenant text NOT NULL,
     session_id text NOT NULL,
     actor text,
     started_at timestamptz(6) NOT NULL,
     last_event_at timestamptz(6) NOT NULL,
     last_seen_at timestamptz(6) NOT NULL,
     event_count bigint NOT NULL,
     ended_at timestamptz(6),
     PRIMARY KEY (tenant, session_id)
   )`,
  // Counters change on every batch: room in the page keeps those updates off the index (HOT).
  'ALTER TABLE sessions SET (fillfactor = 80)',
];

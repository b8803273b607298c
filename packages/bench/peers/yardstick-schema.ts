/**
 * The table of Sluice 0.1.0, without its ledger and sessions: partitioned by week, with six indexes and a block range index.
 * COPY into it is the yardstick of storage, so that figures of all versions compare.
 */
export const YARDSTICK_SCHEMA: readonly string[] = [
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
  'CREATE INDEX ON events (tenant, occurred_at)',
  'CREATE INDEX ON events (tenant, event_type, occurred_at)',
  'CREATE INDEX ON events (tenant, actor, occurred_at)',
  'CREATE INDEX ON events (tenant, session_id, occurred_at)',
  'CREATE INDEX ON events (tenant, resource, occurred_at)',
  'CREATE INDEX ON events (tenant, correlation_id, occurred_at)',
  'CREATE INDEX ON events USING brin (stored_at)',
  // One that no midnight of a run ends.
  "CREATE TABLE events_now PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('infinity')",
];

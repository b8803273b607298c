/** The jobs of the maintenance workers and the history of their runs; how idle and old sessions are found. */
export const name = '0003-jobs';
export const compatibleSince = '0.1.0';

export const statements: readonly string[] = [
  // Written by the maintenance workers: what they know, so that the query API can list and check without their code.
  `CREATE TABLE jobs (
     name text PRIMARY KEY,
     description text NOT NULL,
     schedule jsonb,
     timeout_ms bigint NOT NULL,
     concurrency integer NOT NULL,
     input jsonb NOT NULL,
     next_run_at timestamptz(6),
     last_tick_at timestamptz(6),
     last_skipped_at timestamptz(6),
     last_succeeded_at timestamptz(6),
     stale_at timestamptz(6)
   )`,
  `CREATE TABLE job_runs (
     id uuid PRIMARY KEY,
     job text NOT NULL,
     state text NOT NULL,
     trigger text NOT NULL,
     requested_by text,
     input jsonb NOT NULL DEFAULT '{}',
     rows bigint NOT NULL DEFAULT 0,
     rows_expected bigint,
     details jsonb NOT NULL DEFAULT '{}',
     error text,
     worker text,
     slot integer,
     created_at timestamptz(6) NOT NULL DEFAULT now(),
     started_at timestamptz(6),
     finished_at timestamptz(6),
     CONSTRAINT job_runs_state CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
     CONSTRAINT job_runs_trigger CHECK (trigger IN ('schedule', 'request'))
   )`,
  'CREATE INDEX job_runs_job ON job_runs (job, created_at, id)',
  'CREATE INDEX job_runs_created ON job_runs (created_at, id)',
  "CREATE INDEX job_runs_live ON job_runs (job, created_at) WHERE state IN ('queued', 'running')",
  // An operator may have made these beforehand, without a lock; see docs/operate/upgrade.md.
  // Open sessions by key. Not by last_seen_at: every batch changes that, and no update of an indexed column is HOT.
  'CREATE INDEX IF NOT EXISTS sessions_open ON sessions (tenant, session_id) WHERE ended_at IS NULL',
  'CREATE INDEX IF NOT EXISTS sessions_ended ON sessions (ended_at) WHERE ended_at IS NOT NULL',
];

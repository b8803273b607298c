/** What is exported where, how far, and each run of it. */
export const name = '0005-exports';
export const compatibleSince = '0.1.0';

export const statements: readonly string[] = [
  // The clusters that the data has lived in, the current one last; ids of transactions mean nothing in another one.
  `CREATE TABLE fence_clusters (
     id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
     system_identifier text NOT NULL,
     base timestamptz(6),
     known_since timestamptz(6) NOT NULL DEFAULT now()
   )`,
  `CREATE TABLE fence_observations (
     system_identifier text NOT NULL,
     next_tx xid8 NOT NULL,
     floor timestamptz(6) NOT NULL,
     observed_at timestamptz(6) NOT NULL,
     PRIMARY KEY (system_identifier, next_tx)
   )`,
  `CREATE TABLE export_configs (
     tenant text PRIMARY KEY,
     enabled boolean NOT NULL DEFAULT true,
     schedule jsonb NOT NULL,
     format text NOT NULL,
     compression text NOT NULL,
     destination jsonb NOT NULL,
     backup jsonb,
     secrets bytea,
     key_id text,
     paused_at timestamptz(6),
     paused_code text,
     paused_reason text,
     updated_at timestamptz(6) NOT NULL DEFAULT now(),
     updated_by text NOT NULL
   )`,
  // How far a tenant's scheduled exports have come: a fence, see maintenance-worker/src/fence/.
  `CREATE TABLE export_positions (
     tenant text PRIMARY KEY,
     tx xid8 NOT NULL,
     system_identifier text NOT NULL,
     fenced_at timestamptz(6) NOT NULL,
     floor timestamptz(6) NOT NULL,
     base timestamptz(6),
     run_id uuid NOT NULL
   )`,
  `CREATE TABLE export_runs (
     id uuid PRIMARY KEY,
     tenant text,
     trigger text NOT NULL,
     state text NOT NULL,
     format text NOT NULL,
     compression text NOT NULL,
     destination jsonb NOT NULL,
     backup jsonb,
     since timestamptz(6),
     until timestamptz(6),
     partition text,
     from_position jsonb,
     to_fence jsonb,
     rows_done bigint NOT NULL DEFAULT 0,
     rows_expected bigint,
     bytes_done bigint NOT NULL DEFAULT 0,
     manifest jsonb,
     manifest_key text,
     attempts integer NOT NULL DEFAULT 0,
     next_attempt_at timestamptz(6),
     error_code text,
     error text,
     requested_by text NOT NULL,
     created_at timestamptz(6) NOT NULL DEFAULT now(),
     started_at timestamptz(6),
     finished_at timestamptz(6),
     CONSTRAINT export_runs_trigger CHECK (trigger IN ('schedule', 'request', 'archive', 'rebase')),
     CONSTRAINT export_runs_state CHECK (state IN ('queued', 'running', 'paused', 'succeeded', 'failed', 'cancelled'))
   )`,
  // Two would export the same window.
  `CREATE UNIQUE INDEX export_runs_one_window ON export_runs (tenant)
     WHERE trigger IN ('schedule', 'rebase') AND state IN ('queued', 'running', 'paused')`,
  'CREATE INDEX export_runs_tenant ON export_runs (tenant, created_at)',
  "CREATE INDEX export_runs_live ON export_runs (created_at) WHERE state IN ('queued', 'running')",
];

/** Roll-ups of events by hour and day, and what retention has to remember. */
export const name = '0004-rollups';
export const compatibleSince = '0.1.0';

const buckets = (table: string): string[] => [
  `CREATE TABLE ${table} (
     generation smallint NOT NULL,
     tenant text NOT NULL,
     dimension text NOT NULL,
     bucket timestamptz(3) NOT NULL,
     value text NOT NULL,
     events bigint NOT NULL,
     PRIMARY KEY (generation, tenant, dimension, bucket, value)
   )`,
  // The buckets of the moment are counted up again and again: room in the page keeps that off the index (HOT).
  `ALTER TABLE ${table} SET (fillfactor = 80)`,
];

export const statements: readonly string[] = [
  ...buckets('rollup_hours'),
  ...buckets('rollup_days'),
  // How far each set of roll-ups has come; see docs/decisions/0010-rollups.md.
  `CREATE TABLE rollup_generations (
     generation smallint PRIMARY KEY,
     state text NOT NULL,
     system_identifier text NOT NULL,
     tx xid8 NOT NULL,
     floor timestamptz(6) NOT NULL,
     folded_at timestamptz(6) NOT NULL,
     events bigint NOT NULL DEFAULT 0,
     CONSTRAINT rollup_generations_state CHECK (state IN ('building', 'live', 'retired'))
   )`,
  // At most one is read, and at most one is built.
  "CREATE UNIQUE INDEX rollup_generations_current ON rollup_generations (state) WHERE state <> 'retired'",
  `CREATE TABLE tenant_retention (
     tenant text PRIMARY KEY,
     days integer NOT NULL,
     expired_to timestamptz(3),
     updated_at timestamptz(6) NOT NULL DEFAULT now(),
     updated_by text NOT NULL,
     CONSTRAINT tenant_retention_days CHECK (days >= 0)
   )`,
  // Partitions on their way out, from before the DETACH to the DROP.
  `CREATE TABLE expiring_partitions (
     name text PRIMARY KEY,
     lower_bound timestamptz(6) NOT NULL,
     upper_bound timestamptz(6) NOT NULL,
     manifest_key text,
     next_block bigint NOT NULL DEFAULT 0,
     events bigint NOT NULL DEFAULT 0,
     started_at timestamptz(6) NOT NULL DEFAULT now()
   )`,
  // Partitions past their time that stay for tenants with a longer one.
  `CREATE TABLE kept_partitions (
     name text PRIMARY KEY,
     keepers text[] NOT NULL,
     expired_to timestamptz(3) NOT NULL
   )`,
];

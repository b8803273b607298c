/** What retention, sealing and merging of segments have to remember. */
export const name = '0011-segment-upkeep';
export const compatibleSince = '0.2.0';

export const statements: readonly string[] = [
  // When the last attempt to seal it began.
  'ALTER TABLE segments ADD COLUMN sealing_at timestamptz(6)',
  // Segments and weekly partitions on their way out, from before the DETACH to the DROP.
  `CREATE TABLE expiring_segments (
     relation text PRIMARY KEY,
     -- Of the segment that took over the events of tenants with a longer retention; their copies here are nobody's.
     keepers text[] NOT NULL DEFAULT '{}',
     manifest_key text,
     next_block bigint NOT NULL DEFAULT 0,
     events bigint NOT NULL DEFAULT 0,
     started_at timestamptz(6) NOT NULL DEFAULT now()
   )`,
  // What a worker of 0.1.0 has begun is continued.
  `INSERT INTO expiring_segments (relation, manifest_key, next_block, events, started_at)
   SELECT name, manifest_key, next_block, events, started_at FROM expiring_partitions`,
  'DROP TABLE expiring_partitions',
  'DROP TABLE kept_partitions',
];

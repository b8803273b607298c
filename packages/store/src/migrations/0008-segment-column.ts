import { prepareWeeklyPartitions } from './prepare-weekly-partitions.ts';

/**
 * Prepares the weekly partitions for segments while daemons of 0.1.0 run: a column that says 0 in every row, a constraint
 * that proves it, and a unique index on the id in each partition. After it, 0009 has nothing left to read or to build.
 */
export const name = '0008-segment-column';
export const compatibleSince = '0.1.0';

export const statements: readonly string[] = [
  // It waits this long for a transaction that holds a lock on events; then the daemon tries the whole migration again.
  "SET LOCAL lock_timeout = '5s'",
  // A partition that retention is detaching gets no column any more, and could then never be detached to the end.
  `DO $$
   DECLARE child regclass;
   BEGIN
     FOR child IN SELECT inhrelid FROM pg_inherits WHERE inhparent = 'events'::regclass AND inhdetachpending LOOP
       EXECUTE format('ALTER TABLE events DETACH PARTITION %s FINALIZE', child);
     END LOOP;
   END $$`,
  // A constant default is noted in the catalog and rewrites no row.
  'ALTER TABLE events ADD COLUMN segment integer NOT NULL DEFAULT 0',
  'ALTER TABLE events ADD CONSTRAINT events_before_segments CHECK (segment = 0) NOT VALID',
];

export const online = prepareWeeklyPartitions;

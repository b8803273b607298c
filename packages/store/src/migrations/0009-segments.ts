import { SEGMENT_LOCK } from '../layout/segment-lock.ts';

/**
 * Events in segments. Partitions of a running number take the place of the weekly ones, and their unique indexes that of the
 * ledger. The weekly partitions stay below `events_weekly`, which becomes the partition of the number 0: nothing is
 * rewritten. Writers of 0.1.0 refuse: see docs/operate/upgrade-to-0.2.0.md for the way back.
 */
export const name = '0009-segments';
export const compatibleSince = '0.2.0';

export const statements: readonly string[] = [
  "SET LOCAL lock_timeout = '5s'",
  'LOCK TABLE events, event_ids IN ACCESS EXCLUSIVE MODE',
  // A weekly partition that a daemon of 0.1.0 made since 0008 has no unique index yet. It is of a week to come, or small.
  `DO $$
   DECLARE child record;
   BEGIN
     FOR child IN
       SELECT c.oid, c.relname FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
       WHERE i.inhparent = 'events'::regclass AND NOT i.inhdetachpending
         AND NOT EXISTS (SELECT FROM pg_index AS x WHERE x.indrelid = c.oid AND x.indisunique AND x.indisvalid)
     LOOP
       EXECUTE format('DROP INDEX IF EXISTS %I', child.relname || '_id');
       EXECUTE format('CREATE UNIQUE INDEX %I ON %I (event_id, tenant)', child.relname || '_id', child.relname);
     END LOOP;
   END $$`,
  'ALTER TABLE events RENAME TO events_weekly',
  'CREATE TABLE events (LIKE events_weekly INCLUDING DEFAULTS) PARTITION BY RANGE (segment)',
  `CREATE TABLE segments (
     relation text PRIMARY KEY,
     segment_from integer NOT NULL,
     segment_to integer NOT NULL,
     state text NOT NULL,
     rows bigint,
     stored_from timestamptz(6),
     stored_to timestamptz(6),
     occurred_from timestamptz(6),
     occurred_to timestamptz(6),
     tx_to xid8,
     made_at timestamptz(6) NOT NULL DEFAULT clock_timestamp(),
     hot_at timestamptz(6),
     closed_at timestamptz(6),
     sealed_at timestamptz(6),
     CONSTRAINT segments_state CHECK (state IN ('next', 'hot', 'closed', 'sealed', 'expiring'))
   )`,
  "CREATE UNIQUE INDEX segments_hot ON segments (state) WHERE state = 'hot'",
  // Roles other than the owner may do with the new tables what they may do with the old ones.
  `DO $$
   DECLARE grantee text; privilege text;
   BEGIN
     FOR grantee, privilege IN
       SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END, a.privilege_type
       FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS a
       WHERE c.oid = 'events_weekly'::regclass AND a.grantee <> c.relowner
     LOOP
       EXECUTE format('GRANT %s ON events TO %s', privilege, grantee);
       EXECUTE format('GRANT SELECT ON segments TO %s', grantee);
     END LOOP;
   END $$`,
  // The weekly partitions, with the bounds of their stored_at. What is in them is sealed: nobody inserts any more.
  `INSERT INTO segments (relation, segment_from, segment_to, state, stored_from, stored_to, sealed_at)
   SELECT name, 0, 1, 'sealed', bounds[1]::timestamptz, bounds[2]::timestamptz, clock_timestamp()
   FROM (SELECT c.relname AS name,
                regexp_match(pg_get_expr(c.relpartbound, c.oid), $$FROM [(]'(.+)'[)] TO [(]'(.+)'[)]$$) AS bounds
         FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
         WHERE i.inhparent = 'events_weekly'::regclass AND NOT i.inhdetachpending) AS p`,
  `DO $$
   BEGIN
     IF EXISTS (SELECT FROM pg_inherits WHERE inhparent = 'events_weekly'::regclass) THEN
       -- The constraint of 0008 implies the bounds, so nothing is read.
       ALTER TABLE events ATTACH PARTITION events_weekly FOR VALUES FROM (0) TO (1);
     ELSE
       DROP TABLE events_weekly;
     END IF;
   END $$`,
  // Every transaction that stores events holds this lock, shared, until it ends: the one that takes it exclusively knows that
  // all rows of the segment are committed. A later statement of the same function sees what was committed meanwhile.
  `CREATE FUNCTION sluice_hot_segment() RETURNS integer LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
   DECLARE hot integer;
   BEGIN
     PERFORM pg_advisory_xact_lock_shared(${SEGMENT_LOCK});
     SELECT segment_from INTO hot FROM segments WHERE state = 'hot';
     IF hot IS NULL THEN
       RAISE EXCEPTION 'no segment takes events' USING ERRCODE = 'SL000', HINT = 'sluice jobs run rotate-segments';
     END IF;
     RETURN hot;
   END $$`,
  // For a COPY, which stores all or nothing: it only begins when its segment is hot and none of its ids is in another one.
  `CREATE FUNCTION sluice_enter_segment(expected integer, ids uuid[], segments_from integer[], segments_to integer[])
   RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
   BEGIN
     IF sluice_hot_segment() <> expected THEN
       RAISE EXCEPTION 'segment % takes no more events', expected USING ERRCODE = 'SL001';
     END IF;
     IF ids <> '{}' AND EXISTS (
       SELECT FROM unnest(ids, segments_from, segments_to) AS s (id, first, beyond) CROSS JOIN LATERAL (
         SELECT FROM events AS e
         WHERE e.event_id = s.id AND e.segment >= s.first AND e.segment < s.beyond OFFSET 0) AS found)
     THEN
       RAISE EXCEPTION 'an id is stored already' USING ERRCODE = 'SL002';
     END IF;
   END $$`,
  'ALTER TABLE events ALTER COLUMN segment SET DEFAULT sluice_hot_segment()',
  'DROP TABLE event_ids',
  // What a writer of 0.1.0 sends next ends with this message, and stops it: the error is none of an event.
  'CREATE TABLE event_ids (tenant text, event_id uuid, stored_at timestamptz(6), PRIMARY KEY (tenant, event_id))',
  `CREATE FUNCTION sluice_refuse_old_writer() RETURNS trigger LANGUAGE plpgsql AS $$
   BEGIN
     RAISE EXCEPTION 'events are in segments since Sluice 0.2.0: stop this writer and start one of 0.2.0 or later'
       USING ERRCODE = '0A000';
   END $$`,
  `CREATE TRIGGER refuse_old_writer BEFORE INSERT ON event_ids FOR EACH STATEMENT
   EXECUTE FUNCTION sluice_refuse_old_writer()`,
];

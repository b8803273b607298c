import { ROLLUP_LOCK } from '../rollup-lock.ts';
import { sumUpWeeks } from './sum-up-weeks.ts';

/**
 * Sessions are folded together with the roll-ups instead of being counted by writers. What writers counted stays: every
 * event of the weekly partitions is in `sessions` already, and the fold counts sessions in segments only.
 */
export const name = '0010-folded-sessions';
export const compatibleSince = '0.2.0';

export const statements: readonly string[] = [
  "SET LOCAL lock_timeout = '5s'",
  // A fold of 0.1.0 that runs commits first; the next one ends at the trigger below.
  `SELECT pg_advisory_xact_lock(${ROLLUP_LOCK})`,
  `CREATE TABLE rollup_weeks (
     generation smallint NOT NULL,
     tenant text NOT NULL,
     dimension text NOT NULL,
     bucket timestamptz(3) NOT NULL,
     value text NOT NULL,
     events bigint NOT NULL,
     PRIMARY KEY (generation, tenant, dimension, bucket, value)
   )`,
  'ALTER TABLE rollup_weeks SET (fillfactor = 80)',
  // How far a tenant's events were deleted: a session that may have begun before has lost some of them.
  `CREATE TABLE deletion_horizons (
     tenant text PRIMARY KEY,
     stored_to timestamptz(6) NOT NULL
   )`,
  'ALTER TABLE sessions ADD COLUMN machine_name text, ADD COLUMN user_domain text',
  // What a rebuild has counted so far.
  'CREATE TABLE rebuilt_sessions (LIKE sessions, PRIMARY KEY (tenant, session_id))',
  'ALTER TABLE rebuilt_sessions SET (fillfactor = 80)',
  // What was committed before this time is in; null until the first fold of this version.
  'ALTER TABLE rollup_generations ADD COLUMN folded_to timestamptz(6)',
  // Roles that may read the roll-ups may read the new tables.
  `DO $$
   DECLARE grantee text; privilege text;
   BEGIN
     FOR grantee, privilege IN
       SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END, a.privilege_type
       FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS a
       WHERE c.oid = 'rollup_days'::regclass AND a.grantee <> c.relowner
     LOOP
       EXECUTE format('GRANT %s ON rollup_weeks, rebuilt_sessions, deletion_horizons TO %s', privilege, grantee);
     END LOOP;
   END $$`,
  // A maintenance worker of 0.1.0 knows neither weeks nor sessions: its folds would leave them out.
  `CREATE FUNCTION sluice_refuse_old_fold() RETURNS trigger LANGUAGE plpgsql AS $$
   BEGIN
     IF coalesce(current_setting('sluice_fold.of', true), '') <> 'sessions' THEN
       RAISE EXCEPTION 'sessions are folded since Sluice 0.2.0: stop this maintenance worker and start one of 0.2.0 or later'
         USING ERRCODE = '0A000';
     END IF;
     RETURN NULL;
   END $$`,
  `CREATE TRIGGER refuse_old_fold BEFORE UPDATE OF tx ON rollup_generations FOR EACH STATEMENT
   EXECUTE FUNCTION sluice_refuse_old_fold()`,
];

export const online = sumUpWeeks;

import { createHash } from 'node:crypto';
import { openDatabase } from '@sluice/store/database';
import { migrate } from '@sluice/store/migrations/migrate';
import { MIGRATIONS } from '@sluice/store/migrations/migrations';
import type { Sql } from './sql.ts';

/** First migration that 0.1.0 does not have. */
const FIRST_NEW = '0008';

/** Weekly partitions with events. The last is this week's; that of the next week is empty. */
const WEEKS = 3;
const WEEKS_AHEAD = 1;
const DAY_MS = 24 * 60 * 60 * 1000;
const WEEK_MS = 7 * DAY_MS;

/** What the database held before the migration. */
export interface OldDatabase {
  readonly events: number;
  readonly sessions: number;
  /** The weekly partitions, oldest first. */
  readonly partitions: readonly string[];
}

/** The id of the event number `n`, from 0: as SQL, and as text. */
const ID_OF_N = "md5('before-' || n)::uuid";
export function idOf(n: number): string {
  const hex = createHash('md5').update(`before-${n}`).digest('hex');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** Number of events in the session `before-<k>`. */
export function eventsOfSession({ events, sessions }: OldDatabase, k: number): number {
  return Math.floor((events - 1 - k) / sessions) + 1;
}

/** Makes the schema of 0.1.0 with this many events, their ledger, their sessions and roll-ups; a role that may only read. */
export async function makeOldDatabase(sql: Sql, url: string, events: number): Promise<OldDatabase> {
  const database = openDatabase({ url, poolSize: 1, statementTimeoutMs: 60_000, applicationName: 'rehearsal' });
  await migrate(
    database,
    MIGRATIONS.filter(({ name }) => name < FIRST_NEW),
  );
  await database.close();
  await sql('ALTER TABLE sluice_migrations DROP COLUMN compatible_since, DROP COLUMN finished');
  await sql("CREATE ROLE reader LOGIN PASSWORD 'reader'");
  await sql('GRANT SELECT ON events, sessions, rollup_hours, rollup_days TO reader');

  const sessions = Math.max(100, Math.floor(events / 200));
  const monday = Math.floor((Date.now() - 4 * DAY_MS) / WEEK_MS) * WEEK_MS + 4 * DAY_MS;
  const partitions: string[] = [];
  await sql('ALTER TABLE event_ids DROP CONSTRAINT event_ids_pkey');
  for (let week = 1 - WEEKS; week <= WEEKS_AHEAD; week += 1) {
    const from = new Date(monday + week * WEEK_MS);
    const to = new Date(from.getTime() + WEEK_MS).toISOString();
    const name = `events_${from.toISOString().slice(0, 10).replaceAll('-', '_')}`;
    partitions.push(name);
    await sql(`CREATE TABLE ${name} (LIKE events INCLUDING DEFAULTS INCLUDING CONSTRAINTS)`);
    const place = week + WEEKS - 1;
    const [first, beyond] = [place, place + 1].map((at) => Math.floor((at * events) / WEEKS));
    // This week may have begun just now.
    const end = week === 0 ? new Date(Math.max(from.getTime() + 1, Date.now() - 60_000)).toISOString() : to;
    if (week <= 0)
      await sql(
        `INSERT INTO ${name} (stored_at, tenant, event_id, event_type, occurred_at, received_at, actor, session_id, resource,
                              source, payload)
         SELECT at, 'default', ${ID_OF_N}, 'Type' || n % 7, at - interval '1 s', at, 'actor-' || n % 50,
                'before-' || n % ${sessions}, 'resource-' || n % 1000, 'governance-tracker', '{"cellAddress": "B2", "newValue": "1"}'
         FROM (SELECT n, $1::timestamptz + (n - ${first})::float8 / ${beyond! - first!} * ($2::timestamptz - $1::timestamptz) AS at
               FROM generate_series(${first}, ${beyond! - 1}) AS n) AS numbered`,
        [from.toISOString(), end],
      );
    // ATTACH builds its indexes, as the partition's parent has them.
    await sql(`ALTER TABLE events ATTACH PARTITION ${name} FOR VALUES FROM ('${from.toISOString()}') TO ('${to}')`);
  }
  await sql('INSERT INTO event_ids SELECT tenant, event_id, stored_at FROM events');
  await sql('ALTER TABLE event_ids ADD PRIMARY KEY (tenant, event_id)');
  await sql(`INSERT INTO sessions
             SELECT tenant, session_id, max(actor), min(occurred_at), max(occurred_at), max(stored_at), count(*) FROM events GROUP BY 1, 2`);
  await sql(`INSERT INTO rollup_generations (generation, state, system_identifier, tx, floor, folded_at)
             SELECT 1, 'live', system_identifier::text, pg_current_xact_id(), now(), now() FROM pg_control_system()`);
  await sql(`INSERT INTO rollup_days
             SELECT 1, tenant, 'event_type', date_trunc('day', occurred_at, 'UTC'), event_type, count(*) FROM events GROUP BY 2, 4, 5`);
  await sql('VACUUM ANALYZE');
  return { events, sessions, partitions };
}

import type { TestDatabase } from './test-database.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * Makes the partition of 0.1.0 for the week of an instant, before the database is migrated to segments.
 *
 * @returns its name
 */
export async function makeWeeklyPartition(database: TestDatabase, instant: Date): Promise<string> {
  const midnight = Date.UTC(instant.getUTCFullYear(), instant.getUTCMonth(), instant.getUTCDate());
  const monday = midnight - ((instant.getUTCDay() + 6) % 7) * DAY_MS;
  const name = `events_${new Date(monday).toISOString().slice(0, 10).replaceAll('-', '_')}`;
  const [from, to] = [monday, monday + 7 * DAY_MS].map((ms) => new Date(ms).toISOString());
  await database.query(`CREATE TABLE ${name} (LIKE events INCLUDING DEFAULTS INCLUDING CONSTRAINTS)`);
  await database.query(`ALTER TABLE events ATTACH PARTITION ${name} FOR VALUES FROM ('${from}') TO ('${to}')`);
  return name;
}

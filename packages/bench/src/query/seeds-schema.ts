import type { Client } from 'pg';

/**
 * The peer: the governance tracker's schema, one table with an index on each column that is queried. It is in its own
 * schema of the same server, so that both have the same memory and the same disk.
 */
const STATEMENTS = [
  'CREATE SCHEMA seeds',
  `CREATE TABLE seeds.events (
     event_id uuid PRIMARY KEY,
     event_type varchar(64) NOT NULL,
     "timestamp" timestamptz NOT NULL,
     user_name varchar(255),
     session_id varchar(255),
     correlation_id varchar(255),
     workbook_name varchar(255),
     payload jsonb NOT NULL,
     created_at timestamptz NOT NULL DEFAULT now()
   )`,
  'CREATE INDEX ON seeds.events ("timestamp")',
  'CREATE INDEX ON seeds.events (event_type)',
  'CREATE INDEX ON seeds.events (user_name)',
  'CREATE INDEX ON seeds.events (session_id)',
  'CREATE INDEX ON seeds.events (workbook_name)',
  'CREATE INDEX ON seeds.events (correlation_id)',
  'CREATE INDEX ON seeds.events (event_type, "timestamp")',
];

/** Makes the peer's table and copies one tenant's events into it. */
export async function copyToSeedsSchema(db: Client, tenant: string): Promise<void> {
  for (const statement of STATEMENTS) await db.query(statement);
  await db.query(
    `INSERT INTO seeds.events (event_id, event_type, "timestamp", user_name, session_id, correlation_id, workbook_name, payload)
     SELECT event_id, event_type, occurred_at, actor, session_id, correlation_id, resource, payload
     FROM events WHERE tenant = $1`,
    [tenant],
  );
}

/** A filter in the form of the seeds' API. */
export interface SeedsFilter {
  readonly event_types?: readonly string[];
  readonly user_names?: readonly string[];
  readonly session_ids?: readonly string[];
  readonly workbook_names?: readonly string[];
  readonly correlation_id?: string;
  readonly start_time?: string;
  readonly end_time?: string;
}

/** A page of the peer, with the statement that SQLAlchemy writes. */
export async function seedsPage(db: Client, filter: SeedsFilter, offset: number, limit: number): Promise<unknown[]> {
  const values: unknown[] = [];
  const bind = (value: unknown): string => `$${values.push(value)}`;
  const conditions = [
    filter.event_types && `event_type = ANY (${bind(filter.event_types)})`,
    filter.user_names && `user_name = ANY (${bind(filter.user_names)})`,
    filter.session_ids && `session_id = ANY (${bind(filter.session_ids)})`,
    filter.workbook_names && `workbook_name = ANY (${bind(filter.workbook_names)})`,
    filter.correlation_id && `correlation_id = ${bind(filter.correlation_id)}`,
    filter.start_time && `"timestamp" >= ${bind(filter.start_time)}`,
    filter.end_time && `"timestamp" <= ${bind(filter.end_time)}`,
  ].filter((condition) => condition !== undefined);
  const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
  const { rows } = await db.query(
    `SELECT * FROM seeds.events ${where} ORDER BY "timestamp" DESC OFFSET ${offset} LIMIT ${limit}`,
    values,
  );
  return rows;
}

/** Statistics of the peer: the five statements of its service. */
export async function seedsStatistics(db: Client, start: string, end: string): Promise<void> {
  const where = 'WHERE "timestamp" >= $1 AND "timestamp" <= $2';
  await db.query(`SELECT count(*) FROM seeds.events ${where}`, [start, end]);
  await db.query(`SELECT event_type, count(*) FROM seeds.events ${where} GROUP BY event_type`, [start, end]);
  for (const column of ['user_name', 'session_id', 'workbook_name']) {
    await db.query(`SELECT count(DISTINCT ${column}) FROM seeds.events ${where}`, [start, end]);
  }
}

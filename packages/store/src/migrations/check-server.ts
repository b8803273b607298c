import { type Kysely, sql } from 'kysely';
import { named, schemasWithTables } from '../find-obstacle.ts';

/** Oldest server that has the functions that statements use (`pg_input_is_valid`). */
const OLDEST_SERVER = 160_000;

/**
 * Encodings that hold every character of an event. Any other one refuses some characters, and such an event could not even
 * become a dead letter. SQL_ASCII stores the bytes of UTF-8 as they are.
 */
const ENCODINGS: ReadonlySet<string> = new Set(['UTF8', 'SQL_ASCII']);

/** A database that Sluice cannot use as it is; the message says what an operator has to do. */
class UnusableDatabaseError extends Error {
  override readonly name = 'UnusableDatabaseError';
  readonly code: string;

  /** @param code SQLSTATE of the class that Postgres would answer with */
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** The server that was checked. */
export interface CheckedServer {
  readonly version: number;
  /** Schema that the tables are in, or will be made in. */
  readonly schema: string;
  /** Other schemas of the database that have tables of Sluice. */
  readonly otherSchemas: readonly string[];
}

/**
 * Checks what migrations and statements need of the server. Changes nothing.
 *
 * @param wantedSchema DATABASE_SCHEMA, if it is set
 * @throws UnusableDatabaseError for an old version, an encoding other than UTF-8, a search_path that leads nowhere or away
 *   from the tables that are there
 */
export async function checkServer(db: Kysely<unknown>, wantedSchema?: string): Promise<CheckedServer> {
  const { rows } = await sql<Found>`
    SELECT current_setting('server_version_num')::int AS version, current_setting('server_encoding') AS encoding,
           current_database() AS database, current_user AS role, current_setting('search_path') AS path,
           current_schema()::text AS schema, ${schemasWithTables} AS schemas,
           to_regclass('sluice_migrations') IS NOT NULL AS is_migrated,
           coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS may_create`.execute(db);
  const {
    version,
    encoding,
    database,
    role,
    path,
    schema,
    schemas,
    is_migrated: isMigrated,
    may_create: mayCreate,
  } = rows[0]!;
  if (version < OLDEST_SERVER) {
    const major = Math.floor(version / 10_000);
    throw new UnusableDatabaseError('0A000', `Sluice needs PostgreSQL 16 or newer; this server is ${major}`);
  }
  if (!ENCODINGS.has(encoding)) {
    throw new UnusableDatabaseError(
      '0A000',
      `Sluice needs server_encoding UTF8; this database has ${encoding}. Make one (CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0) and name it in DATABASE_URL`,
    );
  }
  if (schema === null || (wantedSchema !== undefined && schema !== wantedSchema)) {
    const missing = wantedSchema === undefined ? `a schema of search_path (${path})` : `the schema "${wantedSchema}"`;
    throw new UnusableDatabaseError(
      '3F000',
      `database "${database}" has not ${missing}, or role "${role}" may not use it: CREATE SCHEMA, or GRANT USAGE`,
    );
  }
  const otherSchemas = schemas.filter((each) => each !== schema);
  if (!isMigrated && otherSchemas.length > 0 && wantedSchema === undefined) {
    throw new UnusableDatabaseError(
      '3F000',
      `the tables of Sluice are in schema ${named(otherSchemas)} of database "${database}", and search_path (${path}) leads to "${schema}": nothing was made there. Set DATABASE_SCHEMA to the one that is meant`,
    );
  }
  if (!isMigrated && !mayCreate) {
    throw new UnusableDatabaseError(
      '42501',
      `role "${role}" may not create tables in schema "${schema}": GRANT CREATE ON SCHEMA "${schema}" TO "${role}"`,
    );
  }
  return { version, schema, otherSchemas };
}

interface Found {
  version: number;
  encoding: string;
  database: string;
  role: string;
  path: string;
  schema: string | null;
  schemas: string[];
  is_migrated: boolean;
  may_create: boolean;
}

import { type Kysely, sql } from 'kysely';

/** What a daemon needs of a server that answers. */
export interface DatabaseNeeds {
  /** False for a daemon that only reads there. */
  readonly writes: boolean;
  /** Privileges by table. */
  readonly privileges: Readonly<Record<string, readonly string[]>>;
}

/** Needs of the daemons that store events. */
export const STORES: DatabaseNeeds = {
  writes: true,
  privileges: {
    segments: ['SELECT'],
    events: ['SELECT', 'INSERT'],
    sessions: ['SELECT', 'INSERT', 'UPDATE'],
    dead_letters: ['SELECT', 'INSERT', 'UPDATE'],
  },
};

/** Needs of the query API on the primary: operators change dead letters there. */
export const SERVES: DatabaseNeeds = {
  writes: true,
  privileges: { events: ['SELECT'], segments: ['SELECT'], sessions: ['SELECT'], dead_letters: ['SELECT', 'UPDATE'] },
};

/** Needs of a server that is only read, such as a replica. */
export const READS: DatabaseNeeds = {
  writes: false,
  privileges: { events: ['SELECT'], segments: ['SELECT'], sessions: ['SELECT'] },
};

/** What keeps a daemon from its work on a server that answers, and what an operator can do. */
export interface Obstacle {
  readonly code: 'schema_missing' | 'privilege_missing' | 'read_only';
  readonly message: string;
}

/**
 * Finds what keeps a daemon from its work although Postgres answers: no schema, a search_path that leads elsewhere, a missing
 * privilege, a server that is read-only.
 *
 * @returns null when nothing does
 */
export async function findObstacle(db: Kysely<unknown>, needs: DatabaseNeeds): Promise<Obstacle | null> {
  const wanted = Object.entries(needs.privileges).flatMap(([table, names]) => names.map((name) => ({ table, name })));
  const { rows } = await sql<Found>`
    SELECT pg_is_in_recovery() OR current_setting('default_transaction_read_only')::boolean AS read_only,
           current_user AS role, current_database() AS database, current_setting('search_path') AS path,
           ${schemasWithTables} AS schemas,
           to_regclass('sluice_migrations') IS NOT NULL AS has_schema,
           ARRAY(SELECT DISTINCT t FROM unnest(${wanted.map(({ table }) => table)}::text[]) AS t
                 WHERE to_regclass(t) IS NULL ORDER BY t) AS missing_tables,
           ARRAY(SELECT p || ' on ' || t
                 FROM unnest(${wanted.map(({ table }) => table)}::text[], ${wanted.map(({ name }) => name)}::text[]) AS n (t, p)
                 WHERE NOT has_table_privilege(to_regclass(t), p)) AS missing_privileges`.execute(db);
  const found = rows[0]!;
  if (!found.has_schema) return { code: 'schema_missing', message: schemaMissing(found) };
  if (found.missing_tables.length > 0) {
    const tables = found.missing_tables.join(', ');
    return {
      code: 'schema_missing',
      message: `tables of Sluice are missing in database "${found.database}": ${tables}`,
    };
  }
  if (found.missing_privileges.length > 0) {
    const message = `role "${found.role}" lacks privileges: ${found.missing_privileges.join(', ')}; GRANT them`;
    return { code: 'privilege_missing', message };
  }
  if (needs.writes && found.read_only)
    return { code: 'read_only', message: 'the server is read-only (a replica?); DATABASE_URL must name the primary' };
  return null;
}

interface Found {
  read_only: boolean;
  role: string;
  database: string;
  path: string;
  schemas: string[];
  has_schema: boolean;
  missing_tables: string[];
  missing_privileges: string[];
}

/** Schemas of this database that have tables of Sluice, whether or not search_path leads there: an array of names. */
export const schemasWithTables = sql<string[]>`ARRAY(
  SELECT n.nspname::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
  WHERE c.relname = 'sluice_migrations' AND c.relkind IN ('r', 'p') ORDER BY 1)`;

function schemaMissing({ schemas, role, database, path }: Found): string {
  return schemas.length === 0
    ? `database "${database}" has no tables of Sluice: start a writer or the maintenance worker, which make them`
    : `the tables of Sluice are in schema ${named(schemas)}, which search_path (${path}) of role "${role}" does not reach: set DATABASE_SCHEMA, or GRANT USAGE on the schema`;
}

/** Names of schemas, for a message. */
export function named(schemas: readonly string[]): string {
  return schemas.map((schema) => `"${schema}"`).join(', ');
}

import type { CompiledQuery } from 'kysely';
import type { QueryResultRow } from 'pg';
import type { Database } from './database.ts';
import type { Client } from './pool.ts';
import { untilStopped } from './until-stopped.ts';

/**
 * Sends a named statement with pg's own client, because Kysely cannot name one. With a name, the statement that stores 500
 * events takes about a tenth less time.
 *
 * @param stop cancels the statement on the server
 * @returns the rows
 * @throws what Postgres answered: 57014 for a statement that was cancelled
 */
export async function executeNamed<R extends object>(
  database: Database,
  client: Client,
  { name, query }: NamedStatement<R>,
  stop?: AbortSignal,
): Promise<R[]> {
  const { rows } = await untilStopped(database, client, stop, () =>
    client.query<R & QueryResultRow>({ name, text: query.sql, values: [...query.parameters] }),
  );
  return rows;
}

/** A statement that each connection parses and plans once, under this name. */
export interface NamedStatement<R> {
  /** One name always has one text: only the values differ. */
  readonly name: string;
  readonly query: CompiledQuery<R>;
}

import pg from 'pg';

/** Runs one statement on a connection of its own, without time-outs. */
export type Sql = <T extends pg.QueryResultRow>(text: string, values?: unknown[]) => Promise<T[]>;

/** Statements against one database. */
export function sqlOn(url: string): Sql {
  return async <T extends pg.QueryResultRow>(text: string, values?: unknown[]) => {
    const client = await connect(url, 'rehearsal');
    try {
      return (await client.query<T>(text, values)).rows;
    } finally {
      await client.end();
    }
  };
}

/** Opens a connection; the caller ends it. */
export async function connect(url: string, applicationName: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, application_name: applicationName });
  client.on('error', () => {});
  await client.connect();
  return client;
}

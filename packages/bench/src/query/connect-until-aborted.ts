import { Client } from 'pg';

/** Connects to Postgres until `signal` aborts: that ends the connection, and the statement on it, which may take minutes. */
export async function connectUntilAborted(connectionString: string, signal: AbortSignal): Promise<Client> {
  const db = new Client({ connectionString });
  await db.connect();
  const end = (): void => void db.end();
  if (signal.aborted) end();
  else signal.addEventListener('abort', end, { once: true });
  return db;
}

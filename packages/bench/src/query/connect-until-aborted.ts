import { Client } from 'pg';

/** Connects to Postgres. When `signal` aborts, it ends the connection and its statement, which may take minutes. */
export async function connectUntilAborted(connectionString: string, signal: AbortSignal): Promise<Client> {
  const db = new Client({ connectionString });
  await db.connect();
  const end = (): void => void db.end();
  if (signal.aborted) end();
  else signal.addEventListener('abort', end, { once: true });
  return db;
}

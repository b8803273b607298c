import { Client } from 'pg';
import { openDatabase } from '@sluice/store/database';
import { prepareDatabase } from '@sluice/store/prepare-database';
import { PEER_SCHEMA } from '../../peers/peer-schema.ts';

/**
 * Makes a new database in the server of `serverUrl`, with Sluice's tables or with those of the peers.
 *
 * @returns its URL
 */
export async function makeDatabase(serverUrl: string, name: string, schema: 'sluice' | 'peer'): Promise<string> {
  await execute(serverUrl, [`CREATE DATABASE ${name}`]);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  if (schema === 'peer') await execute(url.href, PEER_SCHEMA);
  else await prepareTables(url.href);
  return url.href;
}

/** Makes Sluice's tables, which otherwise the first writer does. */
export async function prepareTables(url: string): Promise<void> {
  const database = openDatabase({ url, poolSize: 1, statementTimeoutMs: 60_000, applicationName: 'bench' });
  try {
    await prepareDatabase(database);
  } finally {
    await database.close();
  }
}

async function execute(url: string, statements: readonly string[]): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

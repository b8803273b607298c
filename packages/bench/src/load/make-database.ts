import { Client } from 'pg';
import { openDatabase } from '@sluice/store/database';
import { prepareDatabase } from '@sluice/store/prepare-database';
import { PEER_SCHEMA } from '../../peers/peer-schema.ts';
import { YARDSTICK_SCHEMA } from '../../peers/yardstick-schema.ts';

const SCHEMAS = { peer: PEER_SCHEMA, yardstick: YARDSTICK_SCHEMA } as const;

/**
 * Makes a new database in the server of `serverUrl`, with Sluice's tables, with those of the peers, or with the yardstick's.
 *
 * @returns its URL
 */
export async function makeDatabase(
  serverUrl: string,
  name: string,
  schema: 'sluice' | keyof typeof SCHEMAS,
): Promise<string> {
  await execute(serverUrl, [`CREATE DATABASE ${name}`]);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  if (schema === 'sluice') await prepareTables(url.href);
  else await execute(url.href, SCHEMAS[schema]);
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

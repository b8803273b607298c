import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTcpProxy, type TcpProxy } from '@sluice/testkit/tcp-proxy';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import { openDatabase, type Database } from '../src/database.ts';

let database: TestDatabase;
let proxy: TcpProxy;
let opened: Database;
/** Of the whole file: pg warns once in a process. */
const warnings: string[] = [];
const note = (warning: Error): void => void warnings.push(warning.message);

beforeAll(async () => {
  process.on('warning', note);
  database = await createTestDatabase();
  proxy = await startTcpProxy(Number(new URL(database.url).port));
  const url = proxy.through(database.url);
  opened = openDatabase({ url, poolSize: 1, statementTimeoutMs: 30_000, applicationName: 'test' });
});
afterAll(async () => {
  process.off('warning', note);
  await opened.close();
  await proxy.close();
  await database.drop();
});

const settings = async () =>
  (await sql<{ array_nulls: string }>`SELECT current_setting('array_nulls') AS array_nulls`.execute(opened.db)).rows;

it('a connection that breaks while it is prepared fails its caller, and gives its slot of the pool back', async () => {
  const broken = 3;
  const cut = proxy.cutReplies({ afterRequest: /array_nulls/ }, broken);
  for (let attempt = 0; attempt < broken; attempt += 1)
    await expect(settings()).rejects.toThrow(/terminated|ECONNRESET/);
  await cut;
  expect(await settings()).toEqual([{ array_nulls: 'on' }]);
});

it('nothing was sent on a connection while another statement of it ran, which pg warns of', async () => {
  await Promise.all([settings(), settings()]);
  // Warnings are emitted in the next turn of the event loop.
  await new Promise((resolve) => setImmediate(resolve));
  expect(warnings.filter((text) => /client\.query\(\)/.test(text))).toEqual([]);
});

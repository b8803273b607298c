import { setTimeout as delay } from 'node:timers/promises';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTcpProxy, type TcpProxy } from '@sluice/testkit/tcp-proxy';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import { openDatabase, type Database } from '../../src/database.ts';

let database: TestDatabase;
let proxy: TcpProxy;
let opened: Database;

beforeAll(async () => {
  database = await createTestDatabase();
  proxy = await startTcpProxy(Number(new URL(database.url).port));
  opened = openDatabase({
    url: proxy.through(database.url),
    poolSize: 1,
    statementTimeoutMs: 100,
    applicationName: 'test',
  });
});
afterAll(async () => {
  await opened.close();
  await proxy.close();
  await database.drop();
});

const backend = async (): Promise<number> => {
  const { rows } = await sql<{ pid: number }>`SELECT pg_backend_pid() AS pid`.execute(opened.db);
  return rows[0]!.pid;
};

it('an idle connection stays open, and its next statement still detects that it is lost', async () => {
  const first = await backend();
  await opened.db.connection().execute(async () => delay(5_500));
  expect(await backend()).toBe(first);
  expect(proxy.loseConnections()).toBe(1);
  await expect(backend()).rejects.toThrow(/no answer from Postgres in 5100 ms/);
});

it('a statement on a connection whose peer has vanished fails, and the next one gets a new connection', async () => {
  const first = await backend();
  expect(proxy.loseConnections()).toBe(1);
  await expect(backend()).rejects.toThrow(/no answer from Postgres in 5100 ms/);
  expect(await backend()).not.toBe(first);
});

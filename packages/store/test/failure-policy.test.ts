import { createServer } from 'node:net';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import { openDatabase, type Database } from '../src/database.ts';
import { inTransaction } from '../src/transaction.ts';
import { classifyFailure } from '../src/write/failure-policy.ts';

let database: TestDatabase;
let opened: Database;
beforeAll(async () => {
  database = await createTestDatabase();
  opened = openDatabase({ url: database.url, poolSize: 4, statementTimeoutMs: 30_000, applicationName: 'test' });
});
afterAll(async () => {
  await opened.close();
  await database.drop();
});

/** What Postgres throws for a statement, in the same kind of transaction as the writer's. */
async function failureOf(statement: string) {
  try {
    await inTransaction(opened, (db) => sql.raw(statement).execute(db));
  } catch (error) {
    return classifyFailure(error);
  }
  throw new Error('the statement did not fail');
}

/** A statement that raises exactly this SQLSTATE: Postgres itself, not a made-up error object. */
const raise = (code: string): string => `DO $$ BEGIN RAISE EXCEPTION 'made to fail' USING ERRCODE = '${code}'; END $$`;

describe('each SQLSTATE has its class:', () => {
  it.each([
    ...[
      '40001',
      '40003',
      '40P01',
      '08000',
      '08003',
      '08006',
      '57P01',
      '57P02',
      '57P03',
      '55P03',
      '57014',
      '25006',
      '25P03',
      '25P04',
    ].map((code) => [code, 'transient']),
    ...['53000', '53100', '53200', '53300', '53400'].map((code) => [code, 'resource']),
    ...['22000', '22P02', '22P05', '22003', '22007', '22008', '22021', '23502', '54000', '54001'].map((code) => [
      code,
      'row',
    ]),
    ...['42501', '42601', '42703', '42P01', '28000', '28P01', '3D000', '23514', '23505', 'P0001', 'XX000', '54023'].map(
      (code) => [code, 'operator'],
    ),
  ])('%s is %s', async (code, kind) => {
    expect(await failureOf(raise(code))).toMatchObject({ kind, code });
  });
});

describe('real causes:', () => {
  it.each([
    ["SELECT '\\u0000'::jsonb", 'row'],
    ['SELECT jsonb \'"\\u0000"\' ->> 0', 'row'],
    ["SELECT 'not an address'::inet", 'row'],
    ["SELECT '2026-02-30'::date", 'row'],
    ['SELECT * FROM no_such_table', 'operator'],
    [
      "INSERT INTO events (segment, tenant, event_id, event_type, occurred_at, received_at, source, payload) VALUES (999, 't', gen_random_uuid(), 'X', now(), now(), 's', '{}')",
      'operator',
    ],
    ["SET LOCAL statement_timeout = '1ms'; SELECT pg_sleep(1)", 'transient'],
    ['SET TRANSACTION READ ONLY; DELETE FROM events', 'transient'],
  ])('%s is %s', async (statement, kind) => {
    expect((await failureOf(statement)).kind).toBe(kind);
  });

  it('a connection that the server ends is transient', async () => {
    expect((await failureOf('SELECT pg_terminate_backend(pg_backend_pid())')).kind).toBe('transient');
  });

  it.each([
    ['nobody listens', null],
    ['the server hangs up', (socket: { destroy(): void }) => socket.destroy()],
  ])('a server that cannot be reached (%s) is transient', async (_name, onConnection) => {
    const server = createServer((socket) => onConnection?.(socket));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    if (onConnection === null) await new Promise((resolve) => server.close(resolve));
    const away = openDatabase({
      url: `postgres://u:p@127.0.0.1:${port}/d`,
      poolSize: 1,
      statementTimeoutMs: 1_000,
      applicationName: 'test',
    });
    const failure = await away.check().then(() => null, classifyFailure);
    expect(failure?.kind).toBe('transient');
    await away.close();
    server.close();
  });

  it('a wrong password and a missing database are the operator’s', async () => {
    const url = new URL(database.url);
    url.pathname = '/no_such_database';
    const away = openDatabase({ url: url.href, poolSize: 1, statementTimeoutMs: 1_000, applicationName: 'test' });
    const failure = await away.check().then(() => null, classifyFailure);
    expect(failure).toMatchObject({ kind: 'operator', code: '3D000' });
    await away.close();
  });
});

it('an unknown code is the operator’s: to stop is better than to guess', () => {
  expect(classifyFailure(new TypeError('undefined is not a function'))).toMatchObject({
    kind: 'operator',
    code: 'unknown',
  });
  expect(classifyFailure('thrown text')).toMatchObject({ kind: 'operator' });
});

import { sql } from 'kysely';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { type TlsPostgres, tlsPostgres } from '@sluice/testkit/tls-postgres';
import { type Database, openDatabase } from '../src/database.ts';

let server: TlsPostgres;
beforeAll(async () => {
  server = await tlsPostgres(inject('runFolder'));
});
afterAll(() => server.remove());

const open = (url: string): Database =>
  openDatabase({ url, poolSize: 2, statementTimeoutMs: 30_000, applicationName: 'test' });

/** Runs one statement on a pool of its own. */
async function ask<T>(url: string, statement = sql<T>`SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()`) {
  const database = open(url);
  try {
    return (await statement.execute(database.db)).rows[0];
  } finally {
    await database.close();
  }
}

/** The server's URL with a query, in which CA and OTHER stand for files. */
const withQuery = (query: string, url = server.url): string =>
  `${url}?${query.replace('CA', server.ca).replace('OTHER', server.otherCa)}`;

it.each([
  'sslmode=require',
  'sslmode=no-verify',
  'sslmode=no-verify&sslrootcert=OTHER',
  'ssl=true',
  'sslmode=require&sslrootcert=CA',
  'sslmode=verify-ca&sslrootcert=CA',
  'sslmode=verify-full&sslrootcert=CA',
  'sslmode=require&sslnegotiation=direct',
  'sslmode=require&channel_binding=prefer',
])('a server that takes TLS only is reached with %s', async (query) => {
  expect(await ask(withQuery(query))).toEqual({ ssl: true });
});

it.each(['', 'sslmode=disable'])('with "%s" it is not reached', async (query) => {
  await expect(ask(withQuery(query))).rejects.toThrow(/no encryption/);
});

it.each([
  ['sslmode=require&sslrootcert=OTHER', /self-signed|unable to verify|signature/],
  ['sslmode=verify-ca&sslrootcert=OTHER', /self-signed|unable to verify|signature/],
  ['sslmode=verify-full&sslrootcert=OTHER', /self-signed|unable to verify|signature/],
  ['sslmode=verify-full', /self-signed|unable to (?:verify|get)/],
])('%s refuses a certificate of another authority', async (query, reason) => {
  await expect(ask(withQuery(query))).rejects.toThrow(reason);
});

it('verify-full refuses a certificate of another name, and verify-ca does not', async () => {
  const byAddress = server.url.replace('@localhost:', '@127.0.0.1:');
  await expect(ask(withQuery('sslmode=verify-full&sslrootcert=CA', byAddress))).rejects.toThrow(/IP: 127\.0\.0\.1/);
  expect(await ask(withQuery('sslmode=verify-ca&sslrootcert=CA', byAddress))).toEqual({ ssl: true });
});

it.each(['require', 'no-verify', 'verify-full'])('a server without TLS is refused with sslmode=%s', async (mode) => {
  const url = `${inject('databaseUrl')}?sslmode=${mode}`;
  await expect(ask(url)).rejects.toThrow('The server does not support SSL connections');
  expect(await ask(inject('databaseUrl'))).toEqual({ ssl: false });
});

it('shows the certificate that the URL names, and needs no password then', async () => {
  const owner = open(withQuery('sslmode=require'));
  await sql`CREATE ROLE certified LOGIN`.execute(owner.db);
  await owner.close();
  const url = server.url.replace(/\/\/[^@]*@/, '//certified@');
  const files = `sslcert=${server.clientCert}&sslkey=${server.clientKey}`;
  expect(await ask(`${url}?sslmode=require&${files}`)).toEqual({ ssl: true });
  await expect(ask(`${url}?sslmode=require`)).rejects.toThrow(/valid client certificate/);
});

it('the connection that cancels a statement is encrypted as the others are', async () => {
  const database = open(withQuery('sslmode=require'));
  await database.withClient(async (client) => {
    const sleeping = client.query('SELECT pg_sleep(600)');
    await Promise.all([
      expect(sleeping).rejects.toThrow(/canceling statement due to user request/),
      database.cancel(client, () => true),
    ]);
  });
  await database.close();
});

it('settings of the server in options are obeyed, and the name of the connections stays', async () => {
  const settings = sql<object>`SELECT current_setting('work_mem') AS work, current_setting('application_name') AS name`;
  const options = encodeURIComponent('-c work_mem=7MB -c application_name=other');
  expect(await ask(withQuery(`sslmode=require&options=${options}`), settings)).toEqual({ work: '7MB', name: 'test' });
});

it('the folder of a Unix socket is taken as host, in both forms', async () => {
  const { username, password } = new URL(server.url);
  const login = `${username}:${password}`;
  const user = sql<object>`SELECT inet_server_addr() AS address`;
  const folder = encodeURIComponent(server.socketFolder);
  for (const url of [
    `postgres://${login}@/sluice?host=${folder}&port=${server.port}`,
    `postgres://${login}@${folder}:${server.port}/sluice`,
  ])
    expect(await ask(url, user)).toEqual({ address: null });
});

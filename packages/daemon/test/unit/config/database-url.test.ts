import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Type } from 'typebox';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { databaseUrlProblem, readDatabaseUrl } from '../../../src/config/database-url.ts';
import { readConfig } from '../../../src/config/read-config.ts';
import { databaseVariables } from '../../../src/daemon-variables.ts';

const PLAIN = { ssl: false, sslnegotiation: 'postgres', enableChannelBinding: false };
const LOCAL = { ...PLAIN, host: 'h', port: 5432, user: 'u', password: 'p', database: 'd' };

const folder = mkdtempSync(join(tmpdir(), 'sluice-database-url-'));
const [ca, key] = ['ca.pem', 'key.pem'].map((name) => join(folder, name)) as [string, string];
beforeAll(() => {
  const subject = ['-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-subj', '/CN=localhost'];
  execFileSync('openssl', ['req', ...subject, '-keyout', key, '-out', ca], { stdio: 'ignore' });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it.each([
  ['postgres://u:p@h/d', LOCAL],
  ['postgresql://u:p@h:5433/d', { ...LOCAL, port: 5433 }],
  ['POSTGRES://u:p@h/d', LOCAL],
  ['postgresql+asyncpg://u:p@h/d', LOCAL],
  ['postgresql+psycopg2://u:p@h/d\n', LOCAL],
  ['postgres://u:p@[::1]:5433/d', { ...LOCAL, host: '::1', port: 5433 }],
  [
    'postgres://we%40ird%2Fus%3Aer:p%40%3A%2F%23%3F%25%20%C3%A9+@h/my%20db',
    { ...LOCAL, user: 'we@ird/us:er', password: 'p@:/#?% é+', database: 'my db' },
  ],
  ['postgres://u:p@h/a%2Fb%3Fc', { ...LOCAL, database: 'a/b?c' }],
  ['postgres://u:p@%2Frun%2Fpostgresql/d', { ...LOCAL, host: '/run/postgresql' }],
  ['postgres://u:p@/d?host=/run/postgresql', { ...LOCAL, host: '/run/postgresql' }],
  [
    'postgres:///d?host=/run/postgresql&user=u&password=p%2Bq+r',
    { ...LOCAL, host: '/run/postgresql', password: 'p+q+r' },
  ],
  ['postgres://?host=h&port=5433&user=u&password=p&dbname=d', { ...LOCAL, port: 5433 }],
  ['postgres://u:p@elsewhere:1/other?host=h&port=5433&dbname=d', { ...LOCAL, port: 5433 }],
  ['postgres://h/d', { ...PLAIN, host: 'h', port: 5432, database: 'd' }],
  ['postgres://u@h', { ...PLAIN, host: 'h', port: 5432, user: 'u' }],
  ['postgres:///', { ...PLAIN, host: 'localhost', port: 5432 }],
  [
    'postgres://u:p@h/d?options=-c%20search_path%3Dx&connect_timeout=10',
    { ...LOCAL, options: '-c search_path=x', connectionTimeoutMillis: 10_000 },
  ],
  ['postgres://u:p@h/d?client_encoding=utf8&gssencmode=disable&target_session_attrs=any', LOCAL],
  ['postgres://u:p@h/d?channel_binding=prefer', { ...LOCAL, enableChannelBinding: true }],
])('%s', (url, server) => {
  expect(readDatabaseUrl(url)).toEqual(server);
});

describe('TLS', () => {
  const UNVERIFIED = { rejectUnauthorized: false };
  const NAMED = { checkServerIdentity: expect.any(Function) as unknown };
  it.each([
    ['', false],
    ['?sslmode=disable', false],
    ['?ssl=false', false],
    ['?sslmode=require', UNVERIFIED],
    ['?ssl=true', UNVERIFIED],
    ['?ssl=1', UNVERIFIED],
    ['?ssl=require', UNVERIFIED],
    ['?ssl=true&sslmode=require', UNVERIFIED],
    ['?sslmode=no-verify', UNVERIFIED],
    ['?sslmode=no-verify&sslrootcert=CA', UNVERIFIED],
    ['?sslmode=verify-full', NAMED],
    ['?ssl=verify-full', NAMED],
    ['?sslmode=verify-full&sslrootcert=system', { ca: expect.any(Array) as unknown, ...NAMED }],
  ])('%s', (query, ssl) => {
    const url = `postgres://u:p@h/d${query.replace('CA', ca)}`;
    expect(readDatabaseUrl(url)).toEqual({ ...LOCAL, ssl });
  });

  it.each(['require', 'verify-ca', 'verify-full'])('%s verifies with the certificate that is given', (mode) => {
    const { ssl } = readDatabaseUrl(`postgres://u:p@h/d?sslmode=${mode}&sslrootcert=${ca}`);
    expect(ssl).toMatchObject({ ca: expect.stringContaining('BEGIN CERTIFICATE') as string });
    expect(ssl).not.toHaveProperty('rejectUnauthorized');
  });

  it('shows its own certificate', () => {
    const { ssl } = readDatabaseUrl(`postgres://u:p@h/d?sslmode=require&sslcert=${ca}&sslkey=${key}`);
    expect(ssl).toMatchObject({ cert: expect.any(String) as string, key: expect.any(String) as string });
  });

  it('verify-full compares the name of the host, also when it is an address', () => {
    expect(identify('localhost')).toBeUndefined();
    expect(identify('127.0.0.1')).toBeInstanceOf(Error);
    expect(identify('elsewhere')).toBeInstanceOf(Error);
  });

  it.each([
    ['sslmode=prefer', /^has sslmode=prefer, which would fall back to an unencrypted connection/],
    ['sslmode=allow', /^has sslmode=allow, which would fall back/],
    ['ssl=prefer', /^has sslmode=prefer/],
    ['sslmode=REQUIRE', /^has the parameter sslmode, which must be one of disable, require/],
    ['sslmode=', /^has the parameter sslmode, which must be one of/],
    ['sslmode=constructor', /^has the parameter sslmode, which must be one of/],
    ['ssl=yes', /^has the parameter sslmode, which must be one of/],
    ['sslmode=disable&sslmode=require', /^has the parameter sslmode twice$/],
    ['sslmode=disable&ssl=true', /which differ$/],
    ['sslmode=verify-ca', /needs sslrootcert$/],
    ['sslmode=verify-ca&sslrootcert=system', /needs sslmode=verify-full$/],
    ['sslrootcert=CA', /^has the parameter sslrootcert and no encryption/],
    ['sslmode=disable&sslrootcert=CA', /^has the parameter sslrootcert and no encryption/],
    ['sslmode=verify-full&sslrootcert=/none.pem', /^has the parameter sslrootcert, whose file .*ENOENT/],
    ['sslmode=verify-full&sslrootcert=KEY', /^has the parameter sslrootcert, whose file is no certificate/],
    ['sslmode=require&sslcert=CA', /^has only one of sslcert and sslkey/],
    ['sslmode=require&sslcert=CA&sslkey=CA', /^names a certificate or a key that cannot be used/],
    ['sslnegotiation=direct', /no encryption/],
    ['sslmode=require&sslnegotiation=indirect', /must be postgres or direct$/],
  ])('%s is refused', (query, problem) => {
    const url = `postgres://u:p@h/d?${query.replaceAll('CA', ca).replaceAll('KEY', key)}`;
    expect(databaseUrlProblem(url)).toMatch(problem);
  });

  it('is refused for a Unix socket', () => {
    expect(databaseUrlProblem('postgres://u:p@/d?host=/run&sslmode=require')).toMatch(/for a Unix socket/);
    expect(databaseUrlProblem('postgres://u:p@/d?host=/run&sslmode=disable')).toBeNull();
  });
});

it.each([
  ['mysql://u:secret-word@h/d', /^must be a URL that starts with postgres:\/\/ or postgresql:\/\/$/],
  ['jdbc:postgresql://h/d', /^must be a URL that starts/],
  ['h', /^must be a URL that starts/],
  ['postgres://u:secret-word@h1:5432,h2:5432/d', /^names several hosts/],
  ['postgres://u:secret-word@h1,h2/d', /^names several hosts/],
  ['postgres://u:secret-word@/d?host=h1,h2', /^names several hosts/],
  ['postgres://u:secret-word#1@h/d', /percent-encoded/],
  ['postgres://u:12/secret-word@h/d', /percent-encoded/],
  ['postgres://u:12?secret-word@h/d', /percent-encoded/],
  ['postgres://u:12?secret-word=x@h/d', /percent-encoded/],
  ['postgres://u:secret-word%zz@h/d', /percent-encoded/],
  ['postgres://u:secret-word%FF@h/d', /percent-encoded/],
  ['postgres://u:secret word@h/d', /percent-encoded/],
  ['postgres://u:secret-word@h:99999/d', /percent-encoded/],
  ['postgres://u:secret-word@h:0/d', /port from 1 to 65535/],
  ['postgres://u:secret-word@h/d?port=many', /port from 1 to 65535/],
  [
    'postgres://u:secret-word@h/d?application_name=x',
    /^has the parameter application_name, which has no effect: Sluice names/,
  ],
  ['postgres://u:secret-word@h/d?statement_timeout=1', /set STATEMENT_TIMEOUT_MS$/],
  ['postgres://u:secret-word@h/d?sslcrl=x', /^has the parameter sslcrl, which has no effect$/],
  ['postgres://u:secret-word@h/d?schema=x', /^has the parameter schema, which has no effect$/],
  ['postgres://u:secret-word@h/d?pgbouncer=true', /^has the parameter pgbouncer/],
  ['postgres://u:secret-word@h/d?constructor=x', /^has the parameter constructor, which has no effect$/],
  ['postgres://u:secret-word@h/d?SSLMODE=require', /^has the parameter SSLMODE, which has no effect$/],
  [
    'postgres://u:secret-word@h/d?connect_timeout=0',
    /^has the parameter connect_timeout, which must be a number of seconds/,
  ],
  ['postgres://u:secret-word@h/d?connect_timeout=1.5', /connect_timeout/],
  ['postgres://u:secret-word@h/d?client_encoding=latin1', /which must be UTF8$/],
  ['postgres://u:secret-word@h/d?target_session_attrs=read-write', /which must be any/],
  ['postgres://u:secret-word@h/d?channel_binding=require', /pg cannot insist on channel binding$/],
  ['postgres://u:secret-word@h/d?gssencmode=require', /^has the parameter gssencmode/],
])('%s is refused, and its password not shown', (url, problem) => {
  expect(databaseUrlProblem(url)).toMatch(problem);
  expect(databaseUrlProblem(url)).not.toContain('secret-word');
});

describe('PGSSLMODE', () => {
  it.each(['require', 'no-verify', 'verify-ca', 'verify-full'])(
    '%s is refused where the URL does not repeat it',
    (mode) => {
      expect(reading('postgres://h/d', mode)).toThrow(
        `DATABASE_URL has no sslmode, and PGSSLMODE has no effect: add ?sslmode=${mode}`,
      );
    },
  );

  it.each([
    ['postgres://h/d?sslmode=disable', 'require'],
    ['postgres://h/d?connect_timeout=5&ssl=false', 'require'],
    ['postgres://h/d', 'disable'],
    ['postgres://h/d', 'prefer'],
    ['postgres:///d?host=/run', 'require'],
  ])('%s decides, whatever PGSSLMODE=%s says', (url, mode) => {
    expect(reading(url, mode)).not.toThrow();
  });
});

const reading = (DATABASE_URL: string, PGSSLMODE: string) => () =>
  readConfig(Type.Object(databaseVariables), { DATABASE_URL, PGSSLMODE });

/** What a connection to this host says of a certificate for `localhost`. */
function identify(host: string): Error | undefined {
  const { ssl } = readDatabaseUrl(`postgres://${host}/d?sslmode=verify-full`);
  if (ssl === false) throw new Error('no TLS');
  const certificate = { subject: { CN: 'localhost' }, subjectaltname: 'DNS:localhost' };
  return ssl.checkServerIdentity!('localhost', certificate as never);
}

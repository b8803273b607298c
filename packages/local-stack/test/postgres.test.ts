import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import { expect, onTestFinished, test, vi } from 'vitest';
import { startPostgres } from '../src/postgres.ts';
import type { PostgresHandle, PostgresOptions } from '../src/postgres.ts';
import { startTimeOf } from '../src/process-info.ts';
import { leaveBehind } from './fixtures/killed-supervisor.ts';
import { temporaryFolder } from './fixtures/temporary-folder.ts';

async function start(options: PostgresOptions): Promise<PostgresHandle> {
  const postgres = await startPostgres(options);
  onTestFinished(() => postgres.stop('immediate'));
  return postgres;
}

async function ask(url: string, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows.flatMap((row) => Object.values(row));
  } finally {
    await client.end();
  }
}

test('serves an empty UTF-8 database on 127.0.0.1 alone, and only with its password', async () => {
  const postgres = await start({ dataDir: await temporaryFolder(), settings: { work_mem: '7MB' } });
  const url = new URL(postgres.url);
  expect(url.pathname).toBe('/sluice');
  expect(await ask(postgres.url, 'SHOW listen_addresses')).toEqual(['127.0.0.1']);
  expect(await ask(postgres.url, 'SHOW server_encoding')).toEqual(['UTF8']);
  expect(await ask(postgres.url, 'SHOW work_mem')).toEqual(['7MB']);
  expect(await ask(postgres.url, "SELECT lower('ÄÖ')")).toEqual(['äö']);
  expect((await stat(join(postgres.dataDir, 'password'))).mode & 0o777).toBe(0o600);
  url.password = 'guess';
  await expect(ask(url.href, 'SELECT 1')).rejects.toThrow(/password authentication failed/);
});

test.for(['fast', 'immediate'] as const)('has its data after a %s stop and a start', async (mode) => {
  const dataDir = await temporaryFolder();
  const first = await start({ dataDir });
  await ask(first.url, 'CREATE TABLE answers AS SELECT 42 AS answer');
  await Promise.all([first.stop(mode), first.stop(mode)]);
  expect(await startTimeOf(first.pid)).toBeUndefined();
  const second = await start({ dataDir, port: first.port });
  expect(second.url).toBe(first.url);
  expect(await ask(second.url, 'SELECT answer FROM answers')).toEqual([42]);
});

test('stops a server that a killed supervisor left on the data, and nothing is lost', async () => {
  const dataDir = await temporaryFolder();
  const left = await leaveBehind('postgres', dataDir);
  await ask(left.url, 'CREATE TABLE answers AS SELECT 42 AS answer');
  const postgres = await start({ dataDir });
  // A process that ends loses its command line, for which the start waited, a moment before the rest.
  await expect.poll(() => startTimeOf(left.pid)).toBeUndefined();
  expect(await ask(postgres.url, 'SELECT answer FROM answers')).toEqual([42]);
});

test('starts after the server itself was killed', async () => {
  const dataDir = await temporaryFolder();
  const first = await start({ dataDir });
  await ask(first.url, 'CREATE TABLE answers AS SELECT 42 AS answer');
  process.kill(first.pid, 'SIGKILL');
  expect(await first.exited).toEqual({ code: null, signal: 'SIGKILL' });
  const second = await start({ dataDir });
  expect(await ask(second.url, 'SELECT answer FROM answers')).toEqual([42]);
});

test('says what the server said when it does not start', async () => {
  const failed = startPostgres({
    dataDir: await temporaryFolder(),
    settings: { max_connections: 'many' },
  });
  await expect(failed).rejects.toThrow(/Postgres ended at start \(exit code 1\):[^]*max_connections/);
});

test('starts whatever PGSSLMODE asks of other servers', async () => {
  vi.stubEnv('PGSSLMODE', 'require');
  onTestFinished(() => void vi.unstubAllEnvs());
  const { url } = await start({ dataDir: await temporaryFolder() });
  vi.unstubAllEnvs();
  expect(await ask(url, 'SELECT 1 AS one')).toEqual([1]);
});

test('says after ten seconds why it still waits, and gives up when it is told to, with the server stopped', async () => {
  const dataDir = await temporaryFolder();
  const access = join(dataDir, 'hba.conf');
  await writeFile(access, 'host all all all reject\n');
  const stop = new AbortController();
  const reasons: string[] = [];
  const started = startPostgres({
    dataDir,
    settings: { hba_file: access },
    signal: stop.signal,
    report(reason) {
      reasons.push(reason);
      stop.abort();
    },
  });
  await expect(started).rejects.toThrow(/aborted/);
  expect(reasons).toEqual([expect.stringMatching(/^not ready yet: pg_hba\.conf rejects connection/)]);
  await expect(stat(join(dataDir, 'pgdata/postmaster.pid'))).rejects.toThrow('ENOENT');
});

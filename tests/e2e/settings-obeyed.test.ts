import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, inject, it } from 'vitest';
import { COMPILE_CACHE } from '@sluice/testkit/compile-cache';

const PACKAGES = resolve(import.meta.dirname, '../../packages');
const TRACING = ['--import', join(PACKAGES, 'daemon/src/tracing.ts')];

interface Run {
  readonly code: number | null;
  /** Lines of the log. */
  readonly log: Record<string, unknown>[];
  readonly stderr: string;
}

/** Starts a daemon in a folder with this `.env`, and stops it once it is ready. Neither Redis nor Postgres is there. */
async function runDaemon(
  name: string,
  env: Record<string, string>,
  { envFile, options = [] }: { envFile?: string | Buffer; options?: string[] } = {},
): Promise<Run> {
  const cwd = mkdtempSync(join(inject('runFolder'), 'settings-'));
  if (envFile !== undefined) writeFileSync(join(cwd, '.env'), envFile, { mode: 0o600 });
  const daemon = spawn(process.execPath, [...options, join(PACKAGES, name, 'src/main.ts')], {
    cwd,
    env: {
      PATH: process.env['PATH'],
      ...COMPILE_CACHE,
      REDIS_URL: 'redis://127.0.0.1:1',
      SHUTDOWN_TIMEOUT_MS: '2000',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  daemon.once('message', () => daemon.kill('SIGTERM'));
  const [stdout, stderr, [code]] = await Promise.all([
    text(daemon.stdout!),
    text(daemon.stderr!),
    once(daemon, 'close') as Promise<[number | null]>,
  ]);
  const log = stdout.split('\n').filter((line) => line.startsWith('{'));
  return { code, log: log.map((line) => JSON.parse(line) as Record<string, unknown>), stderr };
}

const OPEN = expect.objectContaining({ msg: expect.stringContaining('RUNS OPEN') as string }) as object;

it('a .env with a byte order mark loses no variable', async () => {
  const { code, log } = await runDaemon('ingest-api', {}, { envFile: '\uFEFFAPI_KEY=secret-one\r\nINGEST_PORT=0\r\n' });
  expect(code).toBe(0);
  expect(log).not.toContainEqual(OPEN);
  const without = await runDaemon('ingest-api', {}, { envFile: 'INGEST_PORT=0\n' });
  expect(without.log).toContainEqual(OPEN);
});

it.each([[[]], [TRACING]])('a .env in UTF-16 ends the start with 78 and says how to save it (%j)', async (options) => {
  const envFile = Buffer.from('\uFEFFAPI_KEY=secret-one\r\n', 'utf16le');
  const { code, log, stderr } = await runDaemon('ingest-api', { INGEST_PORT: '0' }, { envFile, options });
  expect({ code, log }).toEqual({ code: 78, log: [] });
  expect(stderr).toMatch(
    /^ingest-api: The configuration has a mistake:\n {2}- \.env is not UTF-8 .*UTF-16\. Save it as UTF-8/,
  );
});

it.each(['ingest-api', 'writer-worker', 'maintenance-worker', 'query-api'])(
  'in Kubernetes a service of its own name keeps no %s from starting',
  async (name) => {
    const port = name.split('-')[0]!.toUpperCase();
    const { code, log } = await runDaemon(name, {
      DATABASE_URL: 'postgres://u:p@127.0.0.1:1/d',
      INGEST_PORT: '0',
      QUERY_PORT: '0',
      WRITER_PORT: '0',
      MAINTENANCE_PORT: '0',
      SLUICE_SERVICE_HOST: '10.0.0.1',
      SLUICE_SERVICE_PORT: '8080',
      SLUICE_PORT: 'tcp://10.0.0.1:8080',
      SLUICE_PORT_8080_TCP_ADDR: '10.0.0.1',
      [`${port}_SERVICE_HOST`]: '10.0.0.2',
    });
    expect(code).toBe(0);
    expect(log).toContainEqual(
      expect.objectContaining({
        msg: 'variables that Kubernetes set for its services are left out',
        variables: ['SLUICE_SERVICE_HOST', 'SLUICE_SERVICE_PORT', 'SLUICE_PORT', 'SLUICE_PORT_8080_TCP_ADDR'],
      }),
    );
  },
);

it('settings of other programs are warned of by name at the start, and the log level is taken as they write it', async () => {
  const { log } = await runDaemon('query-api', {
    DATABASE_URL: 'postgresql+asyncpg://u:p@127.0.0.1:1/d',
    QUERY_PORT: '0',
    LOG_LEVEL: 'INFO',
    PGHOST: 'elsewhere',
    PGOPTIONS: '-c statement_timeout=1',
    JWT_SECRET_KEY: 'secret',
    DB_MAX_OVERFLOW: '10',
    OTEL_TRACES_SAMPLER: 'always_off',
  });
  const warned = log.filter(({ msg }) => msg === 'a variable has no effect').map(({ variable }) => String(variable));
  expect(warned.toSorted((a, b) => a.localeCompare(b))).toEqual([
    'DB_MAX_OVERFLOW',
    'JWT_SECRET_KEY',
    'OTEL_TRACES_SAMPLER',
    'PGHOST',
    'PGOPTIONS',
  ]);
});

it('what cannot be obeyed is refused: TLS that is asked for beside the URL, a database of Redis that is no number', async () => {
  const { code, stderr } = await runDaemon('query-api', {
    DATABASE_URL: 'postgres://u:p@127.0.0.1:1/d',
    DATABASE_READ_URL: 'postgres://u:p@127.0.0.1:1/d?sslmode=prefer',
    REDIS_URL: 'redis://127.0.0.1:1/abc',
    PGSSLMODE: 'require',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
  });
  expect(code).toBe(78);
  expect(stderr.match(/^ {2}- \S+/gm)?.toSorted()).toEqual([
    '  - DATABASE_READ_URL',
    '  - DATABASE_URL',
    '  - OTEL_EXPORTER_OTLP_PROTOCOL',
    '  - REDIS_URL',
  ]);
});

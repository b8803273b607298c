import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import type { Environment } from '../../../src/config/read-environment.ts';
import { logSettings } from '../../../src/log/log-settings.ts';
import { createLogger } from '../../../src/log/logger.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-log-settings-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const READ = ['API_KEY', 'LOG_LEVEL', 'REDIS_URL', 'DATABASE_URL', 'INGEST_PORT', 'QUEUE_MAX_AGE_SECONDS'];

function linesFor(environment: Environment, { known = READ, envFile = join(folder, 'none') } = {}) {
  const lines: Record<string, unknown>[] = [];
  const write = (line: string): void => void lines.push(JSON.parse(line) as Record<string, unknown>);
  const logger = createLogger({ daemon: 'ingest-api', version: '1.2.3', level: 'info' }, { write });
  logSettings(logger, environment, { variables: known, envFile });
  return lines.map(({ level, msg, variable, variables, hint, file }) => ({
    level,
    msg,
    variable,
    variables,
    hint,
    file,
  }));
}

/** The variables that are warned of. */
const warned = (environment: Environment, known = READ) =>
  linesFor(environment, { known })
    .filter(({ level, msg }) => level === 40 && msg === 'a variable has no effect')
    .map(({ variable }) => variable);

it('of an ordinary environment there is nothing to say', () => {
  const environment = {
    PATH: '/bin',
    HOME: '/root',
    PGDATA: '/var/lib/postgresql',
    API_KEY: 'key',
    SLUICE_NAMESPACE: 'x',
    REDIS_URL: 'redis://redis',
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318',
    OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
    OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
    OTEL_METRICS_EXPORTER: 'none',
    JWT_SECRET_KEY: '',
    ENVIRONMENT: '  ',
    DEBUG: 'ioredis:*',
  };
  expect(linesFor(environment)).toEqual([]);
});

it.each([
  ['DB_MAX_OVERFLOW', '10'],
  ['ENVIRONMENT', 'production'],
  ['JWT_SECRET_KEY', 'secret-word'],
  ['JWT_ALGORITHM', 'HS256'],
  ['JWT_EXPIRE_MINUTES', '30'],
  ['SECRET_KEY', 'secret-word'],
  ['KAFKA_BROKERS', 'kafka:9092'],
  ['CELERY_BROKER_URL', 'redis://redis'],
  ['PORT', '8080'],
  ['PGSSLMODE', 'require'],
  ['PGPASSWORD', 'secret-word'],
  ['PGHOST', 'elsewhere'],
  ['PGOPTIONS', '-c search_path=x'],
  ['PGAPPNAME', 'psql'],
  ['PGCONNECT_TIMEOUT', '1'],
  ['OTEL_TRACES_SAMPLER', 'always_off'],
  ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'http://collector:4318/v1/traces'],
  ['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', 'grpc'],
  ['OTEL_LOG_LEVEL', 'debug'],
  ['OTEL_PROPAGATORS', 'b3'],
  ['OTEL_METRICS_EXPORTER', 'otlp'],
])('%s is warned of by its name, without its value', (name, value) => {
  const lines = linesFor({ [name]: value });
  expect(lines).toEqual([
    expect.objectContaining({
      level: 40,
      msg: 'a variable has no effect',
      variable: name,
      hint: expect.any(String) as string,
    }),
  ]);
  expect(JSON.stringify(lines)).not.toContain('secret-word');
});

it('a misspelt name is warned of with the one that was meant, without its value', () => {
  const lines = linesFor({ DATABSE_URL: 'secret-word', QUEUE_MAX_AGE_SECOND: '5' });
  expect(lines).toMatchObject([
    { level: 40, msg: 'a variable has no effect', variable: 'DATABSE_URL', hint: 'did you mean DATABASE_URL?' },
    { level: 40, variable: 'QUEUE_MAX_AGE_SECOND', hint: 'did you mean QUEUE_MAX_AGE_SECONDS?' },
  ]);
  expect(JSON.stringify(lines)).not.toContain('secret-word');
});

it('a variable that the file sets twice, to different values, is warned of', () => {
  const envFile = join(folder, 'twice.env');
  const content = 'API_KEY=secret-one\r\nexport API_KEY="secret-two"\r\nLOG_LEVEL=info\r\nLOG_LEVEL="info" # again\r\n';
  writeFileSync(envFile, content, { mode: 0o600 });
  const lines = linesFor({}, { envFile });
  expect(lines).toEqual([
    expect.objectContaining({
      level: 40,
      msg: 'a variable is more than once in the file of variables; the last one counts',
      variable: 'API_KEY',
      file: envFile,
    }),
  ]);
  expect(JSON.stringify(lines)).not.toContain('secret-');
});

it('a value that refers to another variable is warned of, except in single quotes', () => {
  const envFile = join(folder, 'reference.env');
  const content = [
    'DB_PASSWORD=secret-word$1',
    'DATABASE_URL=postgres://sluice:${DB_PASSWORD}@localhost/sluice # ${PORT}',
    'REDIS_URL="redis://${REDIS_HOST:-localhost}"',
    "API_KEY='secret-word-${x}'",
    'LOG_LEVEL=info # ${LEVEL}',
  ];
  writeFileSync(envFile, content.join('\n'), { mode: 0o600 });
  const lines = linesFor({}, { envFile });
  expect(lines.map(({ msg, variable, file }) => ({ msg, variable, file }))).toEqual(
    ['DATABASE_URL', 'REDIS_URL'].map((variable) => ({
      msg: 'a variable refers to another one, which is not put in its place',
      variable,
      file: envFile,
    })),
  );
  expect(JSON.stringify(lines)).not.toContain('secret-word');
});

it('PG* concern nobody who has no database', () => {
  expect(warned({ PGHOST: 'elsewhere' }, ['REDIS_URL'])).toEqual([]);
});

it('DEBUG is told of: it sets the log level, or does not', () => {
  expect(linesFor({ DEBUG: 'True' })).toEqual([
    expect.objectContaining({ level: 40, msg: 'DEBUG sets the log level to debug' }),
  ]);
  expect(linesFor({ DEBUG: 'true', LOG_LEVEL: 'info' })).toEqual([
    expect.objectContaining({ variable: 'DEBUG', hint: 'LOG_LEVEL decides' }),
  ]);
  expect(linesFor({ DEBUG: 'false' })).toEqual([]);
});

it('what Kubernetes wrote has one line, and is no mistake of anybody', () => {
  const environment = {
    SLUICE_SERVICE_HOST: '10.0.0.1',
    SLUICE_PORT: 'tcp://10.0.0.1:8080',
    INGEST_PORT: 'tcp://10.0.0.2:80',
    REDIS_PORT: 'tcp://10.0.0.3:6379',
    POSTGRES_PORT: 'tcp://10.0.0.4:5432',
    POSTGRES_SERVICE_HOST: '10.0.0.4',
  };
  expect(linesFor(environment)).toEqual([
    expect.objectContaining({ level: 30, variables: ['SLUICE_SERVICE_HOST', 'SLUICE_PORT', 'INGEST_PORT'] }),
  ]);
});

it('a file of variables that others may read is warned of', () => {
  const envFile = join(folder, '.env');
  writeFileSync(envFile, 'API_KEY=key\n', { mode: 0o600 });
  expect(linesFor({}, { envFile })).toEqual([]);
  chmodSync(envFile, 0o644);
  expect(linesFor({}, { envFile })).toEqual([
    expect.objectContaining({ level: 40, file: envFile, hint: `chmod 600 ${envFile}` }),
  ]);
});

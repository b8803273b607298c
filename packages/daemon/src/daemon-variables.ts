import { Type } from 'typebox';
import { databaseUrlProblem, readDatabaseUrl } from './config/database-url.ts';
import type { Environment } from './config/read-environment.ts';
import { redisUrlProblem } from './config/redis-url.ts';
import { telemetryVariables } from './config/telemetry-variables.ts';
import { choice, integer, text } from './config/variables.ts';

/** Variables that every daemon reads. */
export const daemonVariables = {
  HOST: text({ default: '127.0.0.1', unit: 'address', description: 'Address to listen on. 0.0.0.0 for all.' }),
  LOG_LEVEL: choice(['trace', 'debug', 'info', 'warn', 'error', 'fatal'], {
    default: 'info',
    unit: '-',
    // As Python's programs write them.
    aliases: { warning: 'warn', critical: 'fatal' },
    description: 'Least severe log line that is written.',
  }),
  LOG_FORMAT: choice(['auto', 'json', 'pretty'], {
    default: 'auto',
    unit: '-',
    description: 'JSON lines, or lines for people. `auto` is `pretty` in a terminal and `json` elsewhere.',
  }),
  SHUTDOWN_TIMEOUT_MS: integer({
    default: 10_000,
    minimum: 100,
    maximum: 600_000,
    unit: 'ms',
    description: 'How long an ordered stop may take. Then the process ends at once.',
  }),
  ...telemetryVariables,
};

/** Variables of the daemons that talk to Redis. */
export const redisVariables = {
  REDIS_URL: text({
    default: 'redis://127.0.0.1:6379',
    unit: 'URL',
    secret: true,
    expected: 'a URL that starts with redis:// or rediss://',
    check: redisUrlProblem,
    description: 'Redis 7.0 or newer, or Valkey. rediss:// for TLS, `/1` at the end for database 1.',
  }),
  SLUICE_NAMESPACE: text({
    default: 'sluice',
    unit: '-',
    pattern: '^[A-Za-z0-9_.-]{1,64}$',
    expected: 'made of letters, digits, dot, dash and underscore',
    description: 'Start of every key in Redis. Several pipelines can share a server under different names.',
  }),
};

/** Variables of the daemons that talk to Postgres. */
export const databaseVariables = {
  DATABASE_URL: databaseUrl('PostgreSQL 16 or newer. `?sslmode=verify-full` for TLS.'),
  DATABASE_SCHEMA: Type.Optional(
    text({
      unit: '-',
      pattern: '^[A-Za-z_][A-Za-z0-9_$]{0,62}$',
      expected: 'the name of a schema: letters, digits, underscore and dollar',
      description:
        "Schema of Sluice's tables. Default: the one that has them, else the first of the role's search_path.",
    }),
  ),
  DB_POOL_SIZE: integer({
    default: 5,
    minimum: 1,
    maximum: 200,
    unit: 'connections',
    description: 'Most connections to Postgres of one daemon.',
  }),
  STATEMENT_TIMEOUT_MS: integer({
    default: 30_000,
    minimum: 100,
    maximum: 3_600_000,
    unit: 'ms',
    description: 'Postgres ends a statement that takes longer. It is tried again.',
  }),
};

/** A variable that says where a database is. */
export function databaseUrl(description: string) {
  return text({
    unit: 'URL',
    secret: true,
    expected: 'a URL that starts with postgres:// or postgresql://',
    check: checkDatabaseUrl,
    description,
  });
}

/** A server that PGSSLMODE was set for must not be talked to without TLS because the URL does not repeat it. */
function checkDatabaseUrl(url: string, { PGSSLMODE: mode = '' }: Environment): string | null {
  const problem = databaseUrlProblem(url);
  if (problem !== null) return problem;
  const saysNothing = !/[?&]ssl(?:mode)?=/.test(url) && !readDatabaseUrl(url).host.startsWith('/');
  return saysNothing && /^(?:require|no-verify|verify-ca|verify-full)$/.test(mode)
    ? `has no sslmode, and PGSSLMODE has no effect: add ?sslmode=${mode} to the URL`
    : null;
}

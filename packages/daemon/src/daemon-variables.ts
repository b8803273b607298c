import { Type } from 'typebox';
import { telemetryVariables } from './config/telemetry-variables.ts';
import { choice, integer, text } from './config/variables.ts';

/** Variables that every daemon reads. */
export const daemonVariables = {
  HOST: text({ default: '127.0.0.1', unit: 'address', description: 'Address to listen on; 0.0.0.0 for all.' }),
  LOG_LEVEL: choice(['trace', 'debug', 'info', 'warn', 'error', 'fatal'], {
    default: 'info',
    unit: '-',
    description: 'Least severe log line that is written.',
  }),
  LOG_FORMAT: choice(['auto', 'json', 'pretty'], {
    default: 'auto',
    unit: '-',
    description: 'JSON lines, or lines for people; auto is `pretty` in a terminal and `json` elsewhere.',
  }),
  SHUTDOWN_TIMEOUT_MS: integer({
    default: 10_000,
    minimum: 100,
    maximum: 600_000,
    unit: 'ms',
    description: 'How long an ordered stop may take before the process ends anyway.',
  }),
  ...telemetryVariables,
};

/** Variables of the daemons that talk to Redis. */
export const redisVariables = {
  REDIS_URL: text({
    default: 'redis://127.0.0.1:6379',
    unit: 'URL',
    secret: true,
    pattern: '^rediss?://',
    format: 'url',
    expected: 'a URL that starts with redis:// or rediss://, special characters in its password percent-encoded',
    description: 'Redis 7.0 or newer, or Valkey; rediss:// for TLS.',
  }),
  SLUICE_NAMESPACE: text({
    default: 'sluice',
    unit: '-',
    pattern: '^[A-Za-z0-9_.-]{1,64}$',
    expected: 'made of letters, digits, dot, dash and underscore',
    description: 'Start of every key in Redis, so that several pipelines can share a server.',
  }),
};

/** Variables of the daemons that talk to Postgres. */
export const databaseVariables = {
  DATABASE_URL: text({
    unit: 'URL',
    secret: true,
    pattern: '^postgres(ql)?://',
    format: 'url',
    expected: 'a URL that starts with postgres:// or postgresql://, special characters in its password percent-encoded',
    description: 'PostgreSQL 16 or newer.',
  }),
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
    description: 'Most connections to Postgres that one daemon holds.',
  }),
  STATEMENT_TIMEOUT_MS: integer({
    default: 30_000,
    minimum: 100,
    maximum: 3_600_000,
    unit: 'ms',
    description: 'Postgres ends a statement that takes longer; it is tried again.',
  }),
};

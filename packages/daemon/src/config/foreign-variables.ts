import { telemetryVariables } from './telemetry-variables.ts';

const KEYS = 'no token is checked with it: requests need an API key';
const REDIS = 'REDIS_URL says how to reach Redis';
const DATABASE = 'DATABASE_URL says how to reach Postgres';

/**
 * Variables of other programs that an operator may bring along, by name, with what to know. They have no effect here, and
 * a daemon warns of each one that is set: somebody may rely on it.
 */
export const FOREIGN_VARIABLES: Readonly<Record<string, string>> = {
  CELERY_BROKER_URL: 'jobs use REDIS_URL',
  CELERY_RESULT_BACKEND: 'jobs use REDIS_URL',
  CLIENT_NAME: 'the tenant of a key says whose events these are',
  DB_HOST: DATABASE,
  DB_MAX_OVERFLOW: 'DB_POOL_SIZE is the whole pool',
  DB_NAME: DATABASE,
  DB_PASSWORD: DATABASE,
  DB_POOL_TIMEOUT: 'the parameter connect_timeout of DATABASE_URL says how long to wait for a connection',
  DB_PORT: DATABASE,
  DB_USER: DATABASE,
  ENVIRONMENT: 'nothing depends on it',
  JWT_ALGORITHM: KEYS,
  JWT_EXPIRE_MINUTES: KEYS,
  JWT_SECRET_KEY: KEYS,
  KAFKA_BROKERS: 'events go through Redis: REDIS_URL',
  KAFKA_ZOOKEEPER_CONNECT: 'events go through Redis: REDIS_URL',
  PORT: 'each daemon has its own, such as INGEST_PORT and QUERY_PORT',
  POSTGRES_DB: DATABASE,
  POSTGRES_HOST: DATABASE,
  POSTGRES_PASSWORD: DATABASE,
  POSTGRES_PORT: DATABASE,
  POSTGRES_USER: DATABASE,
  REDIS_DB: REDIS,
  REDIS_HOST: REDIS,
  REDIS_PASSWORD: REDIS,
  REDIS_PORT: REDIS,
  SECRET_KEY: KEYS,
};

/** Variables that OpenTelemetry's SDK reads by itself. */
const READ_BY_SDK =
  /^OTEL_(?:EXPORTER_OTLP_(?:TRACES_)?(?:COMPRESSION|CERTIFICATE|CLIENT_KEY|CLIENT_CERTIFICATE)|SPAN_(?:ATTRIBUTE|EVENT)_\w+_LIMIT|ATTRIBUTE_\w+_LIMIT|NODE_(?:EN|DIS)ABLED_INSTRUMENTATIONS|SEMCONV_STABILITY_OPT_IN)$/;

/** Values that describe what Sluice does anyway. */
const DONE_ANYWAY: Readonly<Record<string, string>> = {
  OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/protobuf',
  OTEL_LOGS_EXPORTER: 'none',
  OTEL_METRICS_EXPORTER: 'none',
  OTEL_PROPAGATORS: 'tracecontext',
  OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
};

/** Whether a variable of OpenTelemetry is set in vain. */
export function isIgnoredByTracing(name: string, value: string): boolean {
  return (
    name.startsWith('OTEL_') && !(name in telemetryVariables) && !READ_BY_SDK.test(name) && DONE_ANYWAY[name] !== value
  );
}

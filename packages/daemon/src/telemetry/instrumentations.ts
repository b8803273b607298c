import { IncomingMessage } from 'node:http';
import type { Span } from '@opentelemetry/api';
import { getNodeAutoInstrumentations } from '@opentelemetry/auto-instrumentations-node';
import { linkToClient } from './client-traces.ts';
import { queryNames } from './query-names.ts';
import { redisStatement } from './redis-statement.ts';

/** Paths that orchestrators and scrapers request every few seconds. */
const QUIET = /^\/(health|ready|live|metrics|docs)(\/|\?|$)/;

/**
 * OpenTelemetry's own instrumentations of HTTP servers, Redis, Postgres and S3. Redis and Postgres get spans only below a
 * span of Sluice's: what daemons poll every second belongs to no request.
 *
 * Requests that daemons send are not instrumented: paths of webhooks are secrets, and the instrumentation of aws-sdk sees
 * calls to S3.
 */
export function instrumentations(clients: 'continue' | 'link') {
  type Options = NonNullable<Parameters<typeof getNodeAutoInstrumentations>[0]>;
  const settings: Options = {
    '@opentelemetry/instrumentation-http': {
      enabled: true,
      disableOutgoingRequestInstrumentation: true,
      ignoreIncomingRequestHook: ({ url = '' }) => QUIET.test(url),
      // The instrumentation would take the whole query string.
      startIncomingSpanHook: ({ url = '' }) => queryNames(url),
      requestHook: (span, request) => {
        if (clients === 'link' && request instanceof IncomingMessage) linkToClient(span, request);
      },
    },
    '@opentelemetry/instrumentation-ioredis': {
      enabled: true,
      requireParentSpan: true,
      dbStatementSerializer: redisStatement,
    },
    '@opentelemetry/instrumentation-pg': {
      enabled: true,
      requireParentSpan: true,
      ignoreConnectSpans: true,
      requestHook: (span, { query }) => hideValues(span, query),
    },
    '@opentelemetry/instrumentation-aws-sdk': { enabled: true, suppressInternalInstrumentation: true },
  };
  return getNodeAutoInstrumentations({ ...switchedOff(), ...settings });
}

/** A statement without parameters may have values in its text (MikroORM writes them there): only its verb is shown. */
function hideValues(span: Span, query: { text: string; values?: unknown[] }): void {
  if (query.values !== undefined && query.values.length > 0) return;
  span.setAttribute('db.query.text', /^\s*(\w+)/.exec(query.text)?.[1] ?? '');
}

/** Switches the others off: they find nothing to patch here and would only cost start time. */
function switchedOff(): Record<string, { enabled: false }> {
  const unused = [
    'amqplib',
    'aws-lambda',
    'bunyan',
    'cassandra-driver',
    'connect',
    'cucumber',
    'dataloader',
    'dns',
    'express',
    'fs',
    'generic-pool',
    'graphql',
    'grpc',
    'hapi',
    'host-metrics',
    'kafkajs',
    'knex',
    'koa',
    'lru-memoizer',
    'memcached',
    'mongodb',
    'mongoose',
    'mysql',
    'mysql2',
    'nestjs-core',
    'net',
    'openai',
    'oracledb',
    'pino',
    'redis',
    'restify',
    'router',
    'runtime-node',
    'socket.io',
    'tedious',
    'undici',
    'winston',
  ];
  return Object.fromEntries(unused.map((name) => [`@opentelemetry/instrumentation-${name}`, { enabled: false }]));
}

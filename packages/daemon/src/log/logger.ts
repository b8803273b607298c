import { isSpanContextValid, trace } from '@opentelemetry/api';
import { type DestinationStream, type Logger, pino } from 'pino';
import { describeError } from './describe-error.ts';
import { redactText } from './redact-text.ts';

export type { Logger };

/** What every line says about the daemon, and which lines are written. */
export interface LoggerOptions {
  readonly daemon: string;
  readonly version: string;
  readonly level: string;
}

/** Fields that hold a secret, at the top of a line or one level below. */
const SECRET_FIELDS = [
  'password',
  'secret',
  'authorization',
  'credentials',
  'secret_access_key',
  'headers.authorization',
  'headers.cookie',
  'headers["x-api-key"]',
];

/**
 * Makes a JSON logger. Each line has the daemon, its version, and the ids of the active span if there is one.
 *
 * Callers log no headers, payloads or configuration, so that no secret gets here. This is the second net: errors are
 * reduced to what `describeError` picks, fields with the name of a secret and logins in any text are redacted.
 */
export function createLogger(options: LoggerOptions, destination: DestinationStream = standardOutput()): Logger {
  return pino(
    {
      level: options.level,
      base: { daemon: options.daemon, version: options.version },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      mixin: activeSpan,
      formatters: { log: withoutErrors },
      // pino's own serializer runs after the formatter and would add more of the error.
      serializers: { err: (error: unknown) => error },
      redact: { paths: SECRET_FIELDS.flatMap((path) => [path, `*.${path}`]), censor: '[redacted]' },
      hooks: { streamWrite: redactText },
    },
    destination,
  );
}

/** OpenTelemetry's instrumentation of pino would do the same by patching. */
function activeSpan(): object {
  const span = trace.getActiveSpan()?.spanContext();
  return span === undefined || !isSpanContextValid(span) ? {} : { trace_id: span.traceId, span_id: span.spanId };
}

/** Replaces each error in the fields of a line by its description. */
function withoutErrors(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, value instanceof Error ? describeError(value) : value]),
  );
}

/**
 * Node's own stream and not pino's. When the reader of the log is gone, pino's writer (sonic-boom 4.2) tries to flush to
 * the broken pipe forever, and the daemon never exits. Here such lines are dropped.
 */
export function standardOutput(): DestinationStream {
  process.stdout.on('error', () => {});
  return process.stdout;
}

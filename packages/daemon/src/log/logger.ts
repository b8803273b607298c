import { isSpanContextValid, trace } from '@opentelemetry/api';
import { type DestinationStream, type Logger, pino } from 'pino';
import { describeError } from './describe-error.ts';
import { redactText } from './redact-text.ts';

export type { Logger };

/** What a logger needs to know of the daemon it logs for. */
export interface LoggerOptions {
  readonly daemon: string;
  readonly version: string;
  readonly level: string;
}

/** Fields that hold a secret wherever they turn up: at the top of a line, or one step below. */
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
 * A JSON logger. Each line has the daemon and its version, and the ids of the span that is active, if one is.
 *
 * Nothing is logged with its headers, its payload or its configuration, so secrets have no way in; what is done here is
 * a second net: of errors only what `describeError` names, no field with a secret's name, and no login in any text.
 */
export function createLogger(options: LoggerOptions, destination: DestinationStream = standardOutput()): Logger {
  return pino(
    {
      level: options.level,
      base: { daemon: options.daemon, version: options.version },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      mixin: activeSpan,
      formatters: { log: withoutErrors },
      // pino's own, which comes behind the formatter, would look for more in the same error.
      serializers: { err: (error: unknown) => error },
      redact: { paths: SECRET_FIELDS.flatMap((path) => [path, `*.${path}`]), censor: '[redacted]' },
      hooks: { streamWrite: redactText },
    },
    destination,
  );
}

/** pino's own instrumentation would do the same by patching. */
function activeSpan(): object {
  const span = trace.getActiveSpan()?.spanContext();
  return span === undefined || !isSpanContextValid(span) ? {} : { trace_id: span.traceId, span_id: span.spanId };
}

/** The fields of a line, with a description in place of each error. */
function withoutErrors(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, value instanceof Error ? describeError(value) : value]),
  );
}

/**
 * Node's own stream and not pino's: when whoever read the log is gone, pino's writer (sonic-boom 4.2) tries to
 * flush to the broken pipe for ever and the daemon never exits. Here such lines are dropped.
 */
export function standardOutput(): DestinationStream {
  process.stdout.on('error', () => {});
  return process.stdout;
}

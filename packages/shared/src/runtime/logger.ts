import { type DestinationStream, type Logger, pino } from 'pino';

export type { Logger };

/** What a logger needs to know of the daemon it logs for. */
export interface LoggerOptions {
  readonly daemon: string;
  readonly version: string;
  readonly level: string;
}

/**
 * A JSON logger on standard output. Requests are never logged with their headers, so keys can't get in;
 * the paths below are a second net for objects that are logged whole.
 */
export function createLogger(options: LoggerOptions, destination: DestinationStream = standardOutput()): Logger {
  return pino(
    {
      level: options.level,
      base: { daemon: options.daemon, version: options.version },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      redact: {
        paths: ['*.password', '*.headers.authorization', '*.headers["x-api-key"]', 'password', 'authorization'],
        censor: '[redacted]',
      },
    },
    destination,
  );
}

/**
 * Node's own stream and not pino's: when whoever read the log is gone, pino's writer (sonic-boom 4.2) tries to
 * flush to the broken pipe for ever and the daemon never exits. Here such lines are dropped.
 */
function standardOutput(): DestinationStream {
  process.stdout.on('error', () => {});
  return process.stdout;
}

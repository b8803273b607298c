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
export function createLogger(options: LoggerOptions, destination?: DestinationStream): Logger {
  const settings = {
    level: options.level,
    base: { daemon: options.daemon, version: options.version },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    redact: {
      paths: ['*.password', '*.headers.authorization', '*.headers["x-api-key"]', 'password', 'authorization'],
      censor: '[redacted]',
    },
  };
  return destination === undefined ? pino(settings) : pino(settings, destination);
}

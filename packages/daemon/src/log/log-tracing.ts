import { diag, type DiagLogger, DiagLogLevel } from '@opentelemetry/api';
import type { Logger } from './logger.ts';

/** Messages of `start-sdk` on OpenTelemetry's diagnostic channel. It runs before there is a logger. */
export const COLLECTOR_AWAY = 'collector away';
export const COLLECTOR_BACK = 'collector back';

/** OpenTelemetry may repeat a warning with each span. */
const PROBLEM_EVERY_MS = 60_000;
const MAX_PROBLEM_CHARACTERS = 500;

/**
 * Writes what happens to tracing to the daemon's log: spans do not reach the collector, or do again; and at most once a
 * minute a warning of OpenTelemetry itself. While tracing is off, it writes nothing.
 */
export function logTracing(logger: Logger): void {
  diag.setLogger(diagLogger(logger), { logLevel: DiagLogLevel.INFO, suppressOverrideMessage: true });
}

/** Writes OpenTelemetry's diagnostics to a log. */
export function diagLogger(logger: Logger, now: () => number = Date.now): DiagLogger {
  let saidAt = -Infinity;
  const report = (message: string, ...details: unknown[]): void => {
    if (message === COLLECTOR_AWAY) {
      logger.warn({ err: details[0] }, 'spans do not reach the collector; they are dropped and counted');
      return;
    }
    if (now() - saidAt < PROBLEM_EVERY_MS) return;
    saidAt = now();
    const problem = [message, ...details].map(String).join(' ').slice(0, MAX_PROBLEM_CHARACTERS);
    logger.warn({ problem }, 'OpenTelemetry has a problem');
  };
  return {
    error: report,
    warn: report,
    info: (message) => {
      if (message === COLLECTOR_BACK) logger.info('spans reach the collector again');
    },
    debug: () => {},
    verbose: () => {},
  };
}

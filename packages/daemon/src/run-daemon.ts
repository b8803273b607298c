import closeWithGrace from 'close-with-grace';
import { ConfigError, EXIT_CONFIG } from './config/config-error.ts';
import type { StateReports } from './http/daemon-state.ts';
import type { Logger } from './log/logger.ts';
import { redactText } from './log/redact-text.ts';
import { flushTraces } from './telemetry/flush-traces.ts';

/** How long the last traces may take to leave, in milliseconds. */
const FLUSH_MS = 1_000;

/** A daemon that has started. */
export interface RunningDaemon {
  /** Where its HTTP server listens. */
  readonly url: string;
  /**
   * Its parts, in the order in which they were started. Disposing of them is the ordered stop: it accepts no new work,
   * finishes what is running, and closes connections.
   */
  readonly parts: AsyncDisposableStack;
  /** What tells in the log whether it can do its work. */
  readonly reports: Pick<StateReports, 'announce'>;
}

/**
 * Message to a parent process that started the daemon with an IPC channel. The daemon listens, and has tried its
 * dependencies. The counterpart of systemd's READY=1.
 */
export interface ReadyMessage {
  readonly type: 'ready';
  readonly daemon: string;
  readonly url: string;
}

/**
 * Reports that the daemon listens. Stops it in order on SIGTERM, SIGINT, an uncaught error, or when the parent that
 * started it is gone. A second signal, or the deadline, ends the process at once.
 */
export function runUntilStopped(
  daemon: RunningDaemon,
  options: { name: string; logger: Logger; shutdownTimeoutMs: number },
): void {
  const { name, logger } = options;
  // Called for a second signal, for the deadline, and for what the stop itself threw.
  const stopLogger = {
    error: (reason: unknown): void =>
      logger.error(reason instanceof Error ? { err: reason } : { reason }, 'the ordered stop was cut short'),
  };
  const grace = closeWithGrace({ delay: options.shutdownTimeoutMs, logger: stopLogger }, async ({ signal, err }) => {
    if (err) logger.fatal({ err }, 'stopping after an uncaught error');
    else logger.info({ signal: signal ?? 'parent gone' }, 'stopping');
    await daemon.parts.disposeAsync();
    await flushTraces(FLUSH_MS);
    logger.info('stopped');
  });
  process.once('disconnect', () => grace.close());
  logger.info({ url: daemon.url }, 'listening');
  daemon.reports.announce();
  const message: ReadyMessage = { type: 'ready', daemon: name, url: daemon.url };
  process.send?.(message);
}

/**
 * Runs `start`, and ends the process when it throws. It explains a wrong configuration on standard error and exits with
 * 78. Anything else exits with 1.
 */
export async function startOrExit(name: string, start: () => Promise<void>): Promise<void> {
  const exit = (error: unknown): never => {
    if (error instanceof ConfigError) {
      process.stderr.write(`${name}: ${error.message}\n`);
      process.exit(EXIT_CONFIG);
    }
    const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.stderr.write(redactText(`${name} could not start: ${reason}\n`));
    process.exit(1);
  };
  // Node would print an error with all its properties: ioredis adds the command, and so the password of AUTH.
  process.on('uncaughtException', exit);
  try {
    await start();
  } catch (error) {
    exit(error);
  }
  process.off('uncaughtException', exit);
}

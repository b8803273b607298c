import closeWithGrace from 'close-with-grace';
import { ConfigError, EXIT_CONFIG } from './config/config-error.ts';
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
   * Its parts, in the order in which they began. Disposing of them is the ordered stop: accepts no new work, finishes what
   * it has, closes connections.
   */
  readonly parts: AsyncDisposableStack;
}

/**
 * The message to a parent process that started the daemon with an IPC channel: it listens, and its
 * dependencies have been tried. The counterpart of systemd's READY=1.
 */
export interface ReadyMessage {
  readonly type: 'ready';
  readonly daemon: string;
  readonly url: string;
}

/**
 * Says that the daemon is ready, and stops it in order on SIGTERM, SIGINT, an uncaught error, or when the
 * parent that started it is gone. A second signal, or the deadline, ends the process at once.
 */
export function runUntilStopped(
  daemon: RunningDaemon,
  options: { name: string; logger: Logger; shutdownTimeoutMs: number },
): void {
  const { name, logger } = options;
  // It tells of a second signal, of the deadline, and of what the stop itself threw.
  const told = {
    error: (reason: unknown): void =>
      logger.error(reason instanceof Error ? { err: reason } : { reason }, 'the ordered stop was cut short'),
  };
  const grace = closeWithGrace({ delay: options.shutdownTimeoutMs, logger: told }, async ({ signal, err }) => {
    if (err) logger.fatal({ err }, 'stopping after an uncaught error');
    else logger.info({ signal: signal ?? 'parent gone' }, 'stopping');
    await daemon.parts.disposeAsync();
    await flushTraces(FLUSH_MS);
    logger.info('stopped');
  });
  process.once('disconnect', () => grace.close());
  logger.info({ url: daemon.url }, 'ready');
  const message: ReadyMessage = { type: 'ready', daemon: name, url: daemon.url };
  process.send?.(message);
}

/**
 * Runs `start`, and turns what it throws into the right end of the process: a configuration that can't
 * work is explained on standard error and exits with 78, anything else with 1.
 */
export async function startOrExit(name: string, start: () => Promise<void>): Promise<void> {
  const exit = (error: unknown): never => {
    if (error instanceof ConfigError) {
      process.stderr.write(`${name}: ${error.message}\n`);
      process.exit(EXIT_CONFIG);
    }
    const told = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.stderr.write(redactText(`${name} could not start: ${told}\n`));
    process.exit(1);
  };
  // Node would print an error with all that hangs on it: the command of an ioredis error, and so the password of AUTH.
  process.on('uncaughtException', exit);
  try {
    await start();
  } catch (error) {
    exit(error);
  }
  process.off('uncaughtException', exit);
}

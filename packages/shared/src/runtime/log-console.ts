import { format } from 'node:util';
import type { Logger } from './logger.ts';

/** What Kysely 0.29 prints of each statement that was cancelled because nobody waits for its answer: nothing is wrong. */
const CANCELLED = / failed in the background after abortion: /;

/** Makes log lines of what libraries print with `console.error`: a daemon's output is JSON, line by line. */
export function logConsole(logger: Logger): void {
  console.error = (...printed: unknown[]): void => {
    const text = format(...printed);
    logger[CANCELLED.test(text) ? 'debug' : 'warn']({ printed: text }, 'a library printed an error');
  };
}

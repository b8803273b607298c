import { format } from 'node:util';
import type { Logger } from './logger.ts';

/** What Kysely 0.29 prints of each statement that was cancelled because nobody waits for its answer: nothing is wrong. */
const CANCELLED = / failed in the background after abortion: /;

/** Makes log lines of what libraries print with `console`: a daemon's output is its log, line by line. */
export function logConsole(logger: Logger): void {
  console.error = (...printed: unknown[]): void => {
    const text = textOf(printed);
    if (CANCELLED.test(text)) logger.debug({ printed: text }, 'a library printed an error');
    else logger.warn({ printed: text }, 'a library printed an error');
  };
  console.warn = (...printed: unknown[]): void => {
    logger.warn({ printed: textOf(printed) }, 'a library printed a warning');
  };
  const note = (...printed: unknown[]): void => {
    logger.debug({ printed: textOf(printed) }, 'a library printed a note');
  };
  Object.assign(console, { log: note, info: note, debug: note });
}

/** Errors as their stacks: shown whole they have all that libraries hang on them, such as ioredis AUTH's password. */
function textOf(printed: readonly unknown[]): string {
  return format(...printed.map((each) => (each instanceof Error ? (each.stack ?? each.message) : shallow(each))));
}

function shallow(value: unknown): unknown {
  return typeof value === 'object' && value !== null ? `[${value.constructor?.name ?? 'object'}]` : value;
}

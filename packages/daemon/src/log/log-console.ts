import { format } from 'node:util';
import type { Logger } from './logger.ts';

/** Kysely 0.29 prints this for each statement that was cancelled because its caller had left. It is no error. */
const CANCELLED = / failed in the background after abortion: /;

/** Turns what libraries print with `console` into log lines: a daemon's output is its log, line by line. */
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

/** Errors as their stacks: printed whole they have the properties that libraries add, such as the password of AUTH. */
function textOf(printed: readonly unknown[]): string {
  return format(...printed.map((each) => (each instanceof Error ? (each.stack ?? each.message) : shallow(each))));
}

function shallow(value: unknown): unknown {
  return typeof value === 'object' && value !== null ? `[${value.constructor?.name ?? 'object'}]` : value;
}

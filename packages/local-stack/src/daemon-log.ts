import { visible } from '@sluice/errors/visible';
import { countDeadLetters, DEAD_LETTERS } from './dead-letter-notice.ts';
import { followFile } from './follow-file.ts';
import { logLength, openLog } from './log-file.ts';
import { PROBLEMS_ENDED_BY } from './log-recoveries.ts';

const LEVELS: Record<number, string> = { 40: 'warn', 50: 'error', 60: 'fatal' };
const MAX_SHOWN_CHARACTERS = 200;
/** A warning repeated within this time is in the file only: a lost connection is retried many times a second. */
const SHOW_AGAIN_AFTER_MS = 10_000;
const KEPT_LINES = 40;

export interface DaemonLogOptions {
  file: string;
  /** Called with each warning, error, and end of a problem, as one short line without the daemon's name. */
  show: (line: string) => void;
}

export interface DaemonLog {
  /** For the daemon's standard output and error; the caller closes it once the daemon has it. */
  descriptor: number;
  /** Reads what the daemon wrote until now, and stops watching. Answers the last lines that its logger did not write. */
  finish: () => string;
}

/**
 * Opens a daemon's log file, to which the daemon writes directly. Shows its warnings, and the end of what they warned
 * of. It is not a pipe: when we are killed, the daemon can still write while it stops. (With a pipe that has lost its
 * reader, pino's last flush repeats EPIPE forever, and the daemon never ends.)
 */
export function openDaemonLog({ file, show }: DaemonLogOptions): DaemonLog {
  const shownAt = new Map<string, number>();
  /** Messages of problems that were shown and have not ended yet. */
  const open = new Set<string>();
  const deadLetters = countDeadLetters(show);
  const otherLines: string[] = [];
  const onLine = (line: string): void => {
    const level = logLevelOf(line);
    if (level === undefined) {
      otherLines.push(line);
      if (otherLines.length > KEPT_LINES) otherLines.shift();
      return;
    }
    const entry = JSON.parse(line) as Line;
    const message = typeof entry.msg === 'string' ? entry.msg : '';
    if (message === DEAD_LETTERS) return deadLetters.add(entry);
    const ended = (PROBLEMS_ENDED_BY[message] ?? []).filter((problem) => open.delete(problem));
    if (ended.length > 0) show(`ok     ${message}`);
    const warning = describeWarning(line);
    if (!warning) return;
    if (Date.now() - (shownAt.get(warning) ?? 0) < SHOW_AGAIN_AFTER_MS) return;
    shownAt.set(warning, Date.now());
    open.add(message);
    show(warning);
  };
  const descriptor = openLog(file);
  const unfollow = followFile({ file, from: logLength(file), onLine });
  return {
    descriptor,
    finish: () => {
      unfollow();
      deadLetters.flush();
      return otherLines.join('\n').trim();
    },
  };
}

/** The fields of a pino line that are shown. */
interface Line {
  readonly msg?: unknown;
  readonly err?: { readonly message?: unknown };
  readonly error?: unknown;
  /** Events that became dead letters, and why. */
  readonly dead?: unknown;
  readonly reasons?: unknown;
}

/** Shortens a pino line of level warn or worse (`warn   Redis is gone: ECONNREFUSED`); undefined for anything else. */
export function describeWarning(line: string): string | undefined {
  const level = logLevelOf(line);
  if (level === undefined || level < 40) return undefined;
  const { msg, err, error } = JSON.parse(line) as Line;
  const message = typeof msg === 'string' ? msg : '';
  // A warning passes by itself: it is shown once, even if its reason changes meanwhile.
  const reason = err?.message ?? (level > 40 ? error : undefined);
  const cause = typeof reason === 'string' && !message.includes(reason) ? reason : '';
  const text = [message, cause].filter(Boolean).join(': ').replace(/\s+/g, ' ');
  const shown = text.length > MAX_SHOWN_CHARACTERS ? `${text.slice(0, MAX_SHOWN_CHARACTERS)}…` : text;
  return `${(LEVELS[level] ?? 'warn').padEnd(5)}  ${visible(shown)}`;
}

/** The level of a pino line; undefined for a line that comes from elsewhere. */
function logLevelOf(line: string): number | undefined {
  try {
    const { level } = JSON.parse(line) as { level?: unknown };
    return typeof level === 'number' ? level : undefined;
  } catch {
    return undefined;
  }
}

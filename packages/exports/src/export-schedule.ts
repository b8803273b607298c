import { nextInZone } from './next-in-zone.ts';

/** When a tenant's events are exported without a request. Stored as jsonb. */
export type ExportSchedule =
  | { readonly every: 'hour'; readonly minute: number }
  | { readonly every: 'day'; readonly at: string; readonly time_zone?: string }
  | { readonly every: 'minute' }
  | { readonly cron: string; readonly time_zone?: string }
  | { readonly every_events: number }
  | { readonly manual: true };

/** Most events of a threshold: each minute counts up to that many rows. */
const MAX_EVERY_EVENTS = 1_000_000;

/** Five fields. Seconds, `H` (a random value) and named patterns are refused: a schedule must say when. */
const CRON = /^[\d*/,\-?LW#A-Za-z]{1,60}( +[\d*/,\-?LW#A-Za-z]{1,60}){4}$/;

const EXPECTED =
  'hourly, daily, realtime, manual, threshold:N, a cron line, or an object: {"every":"hour","minute":0}, {"every":"day","at":"02:00","time_zone":"Europe/Berlin"}, {"every":"minute"}, {"cron":"…","time_zone":"…"}, {"every_events":1000}, {"manual":true}';

/**
 * Reads a schedule in any of its spellings: an object, a cron line, or one of the words `hourly`, `daily`, `realtime`,
 * `manual` and `threshold:N`.
 *
 * @throws RangeError whose message ends the sentence "schedule …"
 */
export function parseSchedule(input: unknown): ExportSchedule {
  if (typeof input === 'string') return parseWord(input.trim());
  if (typeof input !== 'object' || input === null || Array.isArray(input)) throw new RangeError(`must be ${EXPECTED}`);
  const given = input as Record<string, unknown>;
  if (given['every'] === 'hour') {
    only(given, ['every', 'minute']);
    return { every: 'hour', minute: wholeNumber(given['minute'] ?? 0, 'minute', 0, 59) };
  }
  if (given['every'] === 'day') {
    only(given, ['every', 'at', 'time_zone']);
    const at = given['at'] ?? '00:00';
    if (typeof at !== 'string' || !/^([01]\d|2[0-3]):[0-5]\d$/.test(at)) {
      throw new RangeError('has an "at" that is not a time such as 02:00');
    }
    return { every: 'day', at, ...timeZone(given['time_zone']) };
  }
  if (given['every'] === 'minute') {
    only(given, ['every']);
    return { every: 'minute' };
  }
  if (given['cron'] !== undefined) {
    only(given, ['cron', 'time_zone']);
    return parseCron(given['cron'], given['time_zone']);
  }
  if (given['every_events'] !== undefined) {
    only(given, ['every_events']);
    return { every_events: wholeNumber(given['every_events'], 'every_events', 1, MAX_EVERY_EVENTS) };
  }
  if (given['manual'] === true) {
    only(given, ['manual']);
    return { manual: true };
  }
  throw new RangeError(`must be ${EXPECTED}`);
}

/**
 * The first time after `after` at which this schedule is due by the clocks of its time zone, see `nextInZone`.
 *
 * @returns always later than `after`; null for a schedule without a clock (threshold, manual), and for a cron line that
 *   is never due
 * @throws RangeError for a time zone that this version of Node.js does not know
 */
export function nextDue(schedule: ExportSchedule, after: Date): Date | null {
  const cron = cronOf(schedule);
  if (cron === null) return null;
  const next = nextInZone(cron.pattern, cron.zone, after.getTime());
  return next === null ? null : new Date(next);
}

/** Turns every time-based schedule into a cron line, so that there is one arithmetic of clocks. */
function cronOf(schedule: ExportSchedule): { pattern: string; zone: string } | null {
  if ('cron' in schedule) return { pattern: schedule.cron, zone: schedule.time_zone ?? 'UTC' };
  if (!('every' in schedule)) return null;
  if (schedule.every === 'minute') return { pattern: '* * * * *', zone: 'UTC' };
  if (schedule.every === 'hour') return { pattern: `${schedule.minute} * * * *`, zone: 'UTC' };
  const [hour, minute] = schedule.at.split(':').map(Number);
  return { pattern: `${minute} ${hour} * * *`, zone: schedule.time_zone ?? 'UTC' };
}

function parseWord(word: string): ExportSchedule {
  const threshold = /^threshold:(\d{1,9})$/.exec(word);
  if (threshold !== null) {
    return { every_events: wholeNumber(Number(threshold[1]), 'threshold', 1, MAX_EVERY_EVENTS) };
  }
  if (word === 'hourly') return { every: 'hour', minute: 0 };
  if (word === 'daily') return { every: 'day', at: '00:00' };
  if (word === 'realtime') return { every: 'minute' };
  if (word === 'manual') return { manual: true };
  if (!word.includes(' ')) throw new RangeError(`must be ${EXPECTED}`);
  return parseCron(word, undefined);
}

function parseCron(line: unknown, zone: unknown): ExportSchedule {
  if (typeof line !== 'string' || !CRON.test(line.trim())) {
    throw new RangeError('has a cron line that is not five fields: minute hour day month weekday');
  }
  if (/(^|[ ,])H/.test(line)) throw new RangeError('has a cron line with H, which means a random time');
  const schedule = { cron: line.trim().replaceAll(/ +/g, ' '), ...timeZone(zone) };
  let next: Date | null;
  try {
    next = nextDue(schedule, new Date());
  } catch (error) {
    throw new RangeError(`has a cron line that cannot be read: ${(error as Error).message}`, { cause: error });
  }
  if (next === null) throw new RangeError('has a cron line that is never due');
  return schedule;
}

function timeZone(zone: unknown): { time_zone?: string } {
  if (zone === undefined || zone === null) return {};
  if (typeof zone === 'string' && isTimeZone(zone)) return { time_zone: zone };
  throw new RangeError('has a time_zone that is not one of the IANA list, e.g. Europe/Berlin');
}

function isTimeZone(zone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }).format(0) !== '';
  } catch {
    return false;
  }
}

function wholeNumber(value: unknown, name: string, minimum: number, maximum: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= minimum && value <= maximum) return value;
  throw new RangeError(`has ${name} that is not a whole number from ${minimum} to ${maximum}`);
}

function only(given: Record<string, unknown>, names: readonly string[]): void {
  const other = Object.keys(given).find((name) => !names.includes(name));
  if (other !== undefined) throw new RangeError(`has a property ${other} that it does not know`);
}

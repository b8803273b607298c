import { describe, expect, it } from 'vitest';
import { nextInZone } from '../../src/next-in-zone.ts';
import { zoneOffset } from '../../src/zone-offset.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const next = (pattern: string, zone: string, after: string): string =>
  new Date(nextInZone(pattern, zone, Date.parse(after))!).toISOString();

/** A change of the clocks of a zone. */
interface Change {
  readonly zone: string;
  readonly at: number;
  readonly before: number;
  readonly later: number;
}

/** All changes of a zone from 2026 to the middle of 2027, found by halving the week that has one. */
function changesOf(zone: string): Change[] {
  const found: Change[] = [];
  let later = zoneOffset(zone, Date.UTC(2026, 0, 1));
  for (let week = Date.UTC(2026, 0, 1); week < Date.UTC(2027, 6, 1); week += 7 * DAY) {
    const before = later;
    later = zoneOffset(zone, week + 7 * DAY);
    if (before === later) continue;
    let [low, high] = [week, week + 7 * DAY];
    while (high - low > MINUTE) {
      const middle = low + Math.floor((high - low) / 2 / MINUTE) * MINUTE;
      if (zoneOffset(zone, middle) === before) low = middle;
      else high = middle;
    }
    found.push({ zone, at: high, before, later });
  }
  return found;
}

// Names of today, and older ones that people still write.
const ZONES = [...Intl.supportedValuesOf('timeZone'), 'America/Nuuk', 'Asia/Kathmandu', 'US/Eastern', 'Egypt', 'UTC'];
const CHANGES = ZONES.flatMap(changesOf);
/** One change of each kind: zones whose clocks change at the same moment by the same are due at the same times. */
const KINDS = [...new Map(CHANGES.map((each) => [`${each.at} ${each.before} ${each.later}`, each])).values()];

/** Around a change of clocks there must be no gap, no second run and no step back, whenever it is asked. */
function expectSteady(pattern: string, change: Change, span: { hours: number; least: number; most: number }): void {
  const { zone, at } = change;
  const where = `${pattern} in ${zone} around ${new Date(at).toISOString()}`;
  const times: number[] = [];
  for (let after = at - span.hours * HOUR; after < at + span.hours * HOUR; after = times.at(-1)!) {
    const due = nextInZone(pattern, zone, after);
    if (due === null || due <= after) throw new Error(`${where}: ${due} after ${after}`);
    times.push(due);
  }
  const steps = times.slice(1).map((time, index) => time - times[index]!);
  expect(Math.min(...steps), where).toBeGreaterThanOrEqual(span.least);
  expect(Math.max(...steps), where).toBeLessThanOrEqual(span.most);
  for (const after of [at - 70 * MINUTE, at - 1, at, at + 20 * MINUTE, at + 65 * MINUTE]) {
    expect(nextInZone(pattern, zone, after), where).toBe(times.find((time) => time > after));
  }
}

it('the zones change their clocks in many ways, among them at midnight, by half an hour, and at a quarter', () => {
  expect(CHANGES.length).toBeGreaterThan(300);
  expect(new Set(KINDS.map(({ before, later }) => Math.abs(later - before)))).toContain(HOUR / 2);
  const skipsMidnight = (zone: string): boolean =>
    CHANGES.some((each) => each.zone === zone && (each.at + each.before) % DAY === 0 && each.later > each.before);
  for (const zone of ['Africa/Cairo', 'Asia/Beirut', 'America/Havana', 'America/Santiago', 'Atlantic/Azores']) {
    expect(skipsMidnight(zone), zone).toBe(true);
  }
});

it.each(['00:00', '00:30', '01:00', '02:00', '02:15', '02:45', '03:00', '23:00', '23:30'])(
  'daily at %s: each day once, around every kind of change',
  (at) => {
    const [hour, minute] = at.split(':').map(Number);
    // No change is larger than two hours.
    const span = { hours: 40, least: 22 * HOUR, most: 26 * HOUR };
    for (const kind of KINDS) expectSteady(`${minute} ${hour} * * *`, kind, span);
  },
);

it('daily at midnight: each day once, around every change of every zone', () => {
  for (const { zone, at } of CHANGES) {
    const first = nextInZone('0 0 * * *', zone, at - 30 * HOUR)!;
    const second = nextInZone('0 0 * * *', zone, first)!;
    expect(Math.abs(second - first - DAY), zone).toBeLessThanOrEqual(2 * HOUR);
  }
});

it.each([
  ['*/15 * * * *', 15 * MINUTE, 15 * MINUTE],
  // On Lord Howe Island a change of half an hour makes an hour of the clock longer or shorter.
  ['0 * * * *', HOUR / 2, 1.5 * HOUR],
  ['30 0-23 * * *', HOUR / 2, 1.5 * HOUR],
  // Troll in Antarctica changes by two hours.
  ['15 */6 * * *', 4 * HOUR, 8 * HOUR],
  ['30 1,13 * * *', 10 * HOUR, 14 * HOUR],
  ['0 0 * * 0-6', 22 * HOUR, 26 * HOUR],
  ['5 0 1-31 * *', 22 * HOUR, 26 * HOUR],
] as const)('%s is steady around every kind of change', (pattern, least, most) => {
  for (const kind of KINDS) expectSteady(pattern, kind, { hours: most > 6 * HOUR ? 40 : 2, least, most });
});

describe('a time that the clocks skip is due as much later as they skip', () => {
  it.each([
    ['0 0 * * *', 'America/Santiago', '2026-09-05T12:00:00Z', '2026-09-06T04:00:00.000Z'],
    ['0 0 * * *', 'Africa/Cairo', '2026-04-23T12:00:00Z', '2026-04-23T22:00:00.000Z'],
    ['0 0 * * *', 'Asia/Beirut', '2026-03-28T12:00:00Z', '2026-03-28T22:00:00.000Z'],
    ['0 0 * * *', 'America/Havana', '2026-03-07T12:00:00Z', '2026-03-08T05:00:00.000Z'],
    ['0 0 * * *', 'Atlantic/Azores', '2026-03-28T12:00:00Z', '2026-03-29T01:00:00.000Z'],
    ['0 23 * * *', 'America/Nuuk', '2026-03-28T12:00:00Z', '2026-03-29T01:00:00.000Z'],
    ['0 23 * * *', 'America/Godthab', '2026-03-28T12:00:00Z', '2026-03-29T01:00:00.000Z'],
    ['15 2 * * *', 'Australia/Lord_Howe', '2026-10-03T12:00:00Z', '2026-10-03T15:45:00.000Z'],
    ['0 3 * * *', 'Pacific/Chatham', '2026-09-26T12:00:00Z', '2026-09-26T14:15:00.000Z'],
    ['30 2 29 3 *', 'Europe/Berlin', '2026-03-01T00:00:00Z', '2026-03-29T01:30:00.000Z'],
    ['*/20 2 * * *', 'Europe/Berlin', '2026-03-29T01:00:00Z', '2026-03-29T01:20:00.000Z'],
  ])('%s in %s after %s', (pattern, zone, after, due) => expect(next(pattern, zone, after)).toBe(due));
});

it('a schedule in a zone that changes by half an hour is always due again', () => {
  expect(next('0 2 * * *', 'Australia/Lord_Howe', '2026-04-03T15:00:30Z')).toBe('2026-04-04T15:30:00.000Z');
  expect(next('0 2 * * *', 'Australia/Lord_Howe', '2026-04-04T15:30:00Z')).toBe('2026-04-05T15:30:00.000Z');
  expect(next('*/15 * * * *', 'Pacific/Chatham', '2026-04-04T13:00:00Z')).toBe('2026-04-04T13:15:00.000Z');
});

it('a time that is shown twice is due once, unless the line is for every hour', () => {
  expect(next('30 2 * * *', 'Europe/Berlin', '2026-10-25T00:30:00Z')).toBe('2026-10-26T01:30:00.000Z');
  expect(next('30 * * * *', 'Europe/Berlin', '2026-10-25T00:30:00Z')).toBe('2026-10-25T01:30:00.000Z');
});

it('a line that is never due has no next time; a zone that is not known is an error', () => {
  expect(nextInZone('0 0 31 4,6 *', 'Europe/Berlin', Date.now())).toBeNull();
  expect(() => nextInZone('0 0 * * *', 'Europe/Nowhere', Date.now())).toThrow(RangeError);
});

it.each([
  ['Asia/Kathmandu', '2026-11-29T00:00:00Z', 5.75 * HOUR],
  ['America/St_Johns', '2026-07-01T00:00:00Z', -2.5 * HOUR],
  ['UTC', '2026-07-01T00:00:00Z', 0],
  ['Europe/Paris', '1900-01-01T00:00:00Z', 9 * MINUTE],
])('the clocks of %s at %s', (zone, at, offset) => {
  const found = zoneOffset(zone, Date.parse(at));
  // Before there were zones, offsets had seconds.
  expect(Math.abs(found - offset)).toBeLessThan(2 * MINUTE);
  const shown = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' });
  expect(new Date(Date.parse(at) + found).toISOString().slice(0, 19)).toBe(
    shown.format(Date.parse(at)).replace(' ', 'T'),
  );
});

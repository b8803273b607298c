import { describe, expect, it } from 'vitest';
import { type ExportSchedule, nextDue, parseSchedule } from '../../src/export-schedule.ts';

const next = (schedule: ExportSchedule, after: string): string | null =>
  nextDue(schedule, new Date(after))?.toISOString() ?? null;

describe('parseSchedule', () => {
  it.each([
    ['hourly', { every: 'hour', minute: 0 }],
    ['daily', { every: 'day', at: '00:00' }],
    ['realtime', { every: 'minute' }],
    ['manual', { manual: true }],
    ['threshold:5000', { every_events: 5000 }],
    [' 30 2 * * MON-FRI ', { cron: '30 2 * * MON-FRI' }],
    ['0  0   L * *', { cron: '0 0 L * *' }],
    [{ every: 'hour' }, { every: 'hour', minute: 0 }],
    [
      { every: 'hour', minute: 17 },
      { every: 'hour', minute: 17 },
    ],
    [{ every: 'day' }, { every: 'day', at: '00:00' }],
    [
      { every: 'day', at: '02:00', time_zone: 'Europe/Berlin' },
      { every: 'day', at: '02:00', time_zone: 'Europe/Berlin' },
    ],
    [{ every: 'minute' }, { every: 'minute' }],
    [
      { cron: '0 6 * * *', time_zone: 'Asia/Tokyo' },
      { cron: '0 6 * * *', time_zone: 'Asia/Tokyo' },
    ],
    [{ every_events: 1 }, { every_events: 1 }],
    [{ manual: true }, { manual: true }],
  ])('%j', (input, schedule) => {
    expect(parseSchedule(input)).toEqual(schedule);
    expect(parseSchedule(schedule)).toEqual(schedule);
  });

  it.each([
    ['weekly', /must be hourly, daily/],
    ['', /must be hourly/],
    [null, /must be hourly/],
    [[], /must be hourly/],
    [7, /must be hourly/],
    [{}, /must be hourly/],
    [{ manual: false }, /must be hourly/],
    ['threshold:0', /whole number from 1/],
    ['threshold:99999999', /whole number from 1 to 1000000/],
    [{ every_events: 1.5 }, /every_events/],
    [{ every: 'hour', minute: 60 }, /minute that is not a whole number from 0 to 59/],
    [{ every: 'hour', at: '02:00' }, /property at/],
    [{ every: 'day', at: '24:00' }, /"at"/],
    [{ every: 'day', at: '2:00' }, /"at"/],
    [{ every: 'day', time_zone: 'Europe/Atlantis' }, /time_zone/],
    [{ cron: '0 0 * *' }, /five fields/],
    [{ cron: '0 0 * * * *' }, /five fields/],
    [{ cron: '' }, /five fields/],
    [{ cron: 7 }, /five fields/],
    [{ cron: '60 * * * *' }, /cannot be read.*60/],
    [{ cron: '*/0 * * * *' }, /cannot be read/],
    [{ cron: 'H * * * *' }, /random/],
    [{ cron: '0 0 31 4,6,9,11 *' }, /never due/],
    [{ cron: '* * * * *', seconds: 5 }, /property seconds/],
  ])('%j is refused', (input, message) => {
    expect(() => parseSchedule(input)).toThrow(RangeError);
    expect(() => parseSchedule(input)).toThrow(message);
  });
});

describe('nextDue', () => {
  it('is the next time after, never the same', () => {
    expect(next({ every: 'hour', minute: 0 }, '2026-11-21T10:59:59.999Z')).toBe('2026-11-21T11:00:00.000Z');
    expect(next({ every: 'hour', minute: 0 }, '2026-11-21T11:00:00.000Z')).toBe('2026-11-21T12:00:00.000Z');
    expect(next({ every: 'hour', minute: 30 }, '2026-12-31T23:45:00Z')).toBe('2027-01-01T00:30:00.000Z');
    expect(next({ every: 'minute' }, '2026-11-21T11:00:30Z')).toBe('2026-11-21T11:01:00.000Z');
    expect(next({ every: 'day', at: '02:00' }, '2026-11-21T02:00:00Z')).toBe('2026-11-22T02:00:00.000Z');
  });

  it('goes by the clocks of the time zone', () => {
    const berlin = { every: 'day', at: '02:30', time_zone: 'Europe/Berlin' } as const;
    expect(next(berlin, '2026-01-10T12:00:00Z')).toBe('2026-01-11T01:30:00.000Z');
    expect(next(berlin, '2026-07-10T12:00:00Z')).toBe('2026-07-11T00:30:00.000Z');
    expect(next({ cron: '15 9 * * *', time_zone: 'Asia/Kathmandu' }, '2026-01-10T12:00:00Z')).toBe(
      '2026-01-11T03:30:00.000Z',
    );
  });

  it('a time that the change to summer time skips is due an hour later, and once', () => {
    const berlin = { every: 'day', at: '02:30', time_zone: 'Europe/Berlin' } as const;
    expect(next(berlin, '2026-03-28T12:00:00Z')).toBe('2026-03-29T01:30:00.000Z');
    expect(next(berlin, '2026-03-29T01:30:00Z')).toBe('2026-03-30T00:30:00.000Z');
  });

  it('a time that comes twice in autumn is due the first time only', () => {
    const berlin = { every: 'day', at: '02:30', time_zone: 'Europe/Berlin' } as const;
    expect(next(berlin, '2026-10-24T12:00:00Z')).toBe('2026-10-25T00:30:00.000Z');
    expect(next(berlin, '2026-10-25T00:30:00Z')).toBe('2026-10-26T01:30:00.000Z');
  });

  it('knows the ends of months, leap years, and both meanings of day and weekday together', () => {
    expect(next({ cron: '0 0 L * *' }, '2026-02-10T00:00:00Z')).toBe('2026-02-28T00:00:00.000Z');
    expect(next({ cron: '0 0 29 2 *' }, '2026-03-01T00:00:00Z')).toBe('2028-02-29T00:00:00.000Z');
    expect(next({ cron: '0 9 * * MON-FRI' }, '2026-11-20T09:00:00Z')).toBe('2026-11-23T09:00:00.000Z');
    // Cron joins the two by "or": the 1st, and every Monday.
    expect(next({ cron: '0 0 1 * 1' }, '2026-11-24T00:00:00Z')).toBe('2026-11-30T00:00:00.000Z');
    expect(next({ cron: '0 0 1 * 1' }, '2026-11-30T00:00:00Z')).toBe('2026-12-01T00:00:00.000Z');
  });

  it('no clock decides over thresholds and exports on demand', () => {
    expect(next({ every_events: 10 }, '2026-11-21T00:00:00Z')).toBeNull();
    expect(next({ manual: true }, '2026-11-21T00:00:00Z')).toBeNull();
  });
});

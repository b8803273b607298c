import { describe, expect, it } from 'vitest';
import { bucketStarts, cutRange, uncut } from '../../../src/statistics/statistics-range.ts';

const range = (start: string, end: string) => ({ start, end });
const NOW = Date.parse('2026-06-01T12:10:00Z');
/** Long past, and nothing taken off again. */
const plain = { finest: null, now: NOW, mayExceed: false } as const;
const cut = (start: string, end: string) =>
  cutRange(range(`2026-${start}:00.000Z`, `2026-${end}:00.000Z`), { finest: null, now: NOW, mayExceed: true });
const starts = (start: string, end: string) =>
  bucketStarts({ start, end }, 'hour').map((ms) => new Date(ms).toISOString().slice(11, 16));

describe('cutRange', () => {
  it('takes whole days, whole hours around them, and what is left', () => {
    expect(cutRange(range('2026-01-01T22:30:00.000Z', '2026-01-04T01:15:00.000Z'), plain)).toEqual({
      weeks: [],
      days: [range('2026-01-02T00:00:00.000Z', '2026-01-04T00:00:00.000Z')],
      hours: [
        range('2026-01-01T23:00:00.000Z', '2026-01-02T00:00:00.000Z'),
        range('2026-01-04T00:00:00.000Z', '2026-01-04T01:00:00.000Z'),
      ],
      whole: range('2026-01-01T23:00:00.000Z', '2026-01-04T01:00:00.000Z'),
      edges: [
        range('2026-01-01T22:30:00.000Z', '2026-01-01T23:00:00.000Z'),
        range('2026-01-04T01:00:00.000Z', '2026-01-04T01:15:00.000Z'),
      ],
      excess: [],
    });
  });

  it('has no edges where a range is whole, down to the microsecond', () => {
    const whole = range('2026-01-01T00:00:00.000Z', '2026-01-02T00:00:00.000Z');
    expect(cutRange(whole, plain)).toEqual({ weeks: [], days: [whole], hours: [], whole, edges: [], excess: [] });
    expect(cutRange({ ...whole, start: '2026-01-01T00:00:00.000001Z' }, plain)).toMatchObject({
      days: [],
      edges: [range('2026-01-01T00:00:00.000001Z', '2026-01-01T01:00:00.000Z')],
    });
  });

  it('tells hours from hours, and minutes from events', () => {
    const day = range('2026-01-01T00:00:00.000Z', '2026-01-02T00:00:00.000Z');
    expect(cutRange(day, { ...plain, finest: 'hour' })).toEqual({
      weeks: [],
      days: [],
      hours: [day],
      whole: day,
      edges: [],
      excess: [],
    });
    expect(cutRange(day, { ...plain, finest: 'minute' })).toEqual(uncut(day));
    const short = range('2026-01-01T00:10:00.000Z', '2026-01-01T01:50:00.000Z');
    expect(cutRange(short, plain)).toEqual(uncut(short));
  });

  it('takes whole weeks from Monday to Monday, days around them, and tells days from days', () => {
    const long = range('2026-01-03T23:00:00.000Z', '2026-01-28T02:00:00.000Z');
    expect(cutRange(long, plain)).toMatchObject({
      weeks: [range('2026-01-05T00:00:00.000Z', '2026-01-26T00:00:00.000Z')],
      days: [
        range('2026-01-04T00:00:00.000Z', '2026-01-05T00:00:00.000Z'),
        range('2026-01-26T00:00:00.000Z', '2026-01-28T00:00:00.000Z'),
      ],
      hours: [
        range('2026-01-03T23:00:00.000Z', '2026-01-04T00:00:00.000Z'),
        range('2026-01-28T00:00:00.000Z', '2026-01-28T02:00:00.000Z'),
      ],
      whole: long,
    });
    expect(cutRange(long, { ...plain, finest: 'week' })).toEqual(cutRange(long, plain));
    expect(cutRange(long, { ...plain, finest: 'day' })).toMatchObject({
      weeks: [],
      days: [range('2026-01-04T00:00:00.000Z', '2026-01-28T00:00:00.000Z')],
    });
    // The week of the turn of a year, and one before 1970.
    const turn = range('2025-12-29T00:00:00.000Z', '2026-01-05T00:00:00.000Z');
    expect(cutRange(turn, plain)).toMatchObject({ weeks: [turn], days: [], hours: [] });
    const old = range('1969-12-22T00:00:00.000Z', '1969-12-29T00:00:00.000Z');
    expect(cutRange(old, plain)).toMatchObject({ weeks: [old], days: [], hours: [] });
  });
});

describe('cutRange, when events may be taken off again', () => {
  it('takes the whole hour where less of it is outside than inside', () => {
    expect(cut('01-01T22:10', '01-02T03:50')).toEqual({
      weeks: [],
      days: [],
      hours: [range('2026-01-01T22:00:00.000Z', '2026-01-02T04:00:00.000Z')],
      whole: range('2026-01-01T22:00:00.000Z', '2026-01-02T04:00:00.000Z'),
      edges: [],
      excess: [
        range('2026-01-01T22:00:00.000Z', '2026-01-01T22:10:00.000Z'),
        range('2026-01-02T03:50:00.000Z', '2026-01-02T04:00:00.000Z'),
      ],
    });
    expect(cut('01-01T22:50', '01-02T03:10')).toMatchObject({
      edges: [
        range('2026-01-01T22:50:00.000Z', '2026-01-01T23:00:00.000Z'),
        range('2026-01-02T03:00:00.000Z', '2026-01-02T03:10:00.000Z'),
      ],
      excess: [],
    });
  });

  it('what lies ahead of now counts as nothing', () => {
    expect(cut('06-01T11:00', '06-01T12:10')).toMatchObject({
      whole: range('2026-06-01T11:00:00.000Z', '2026-06-01T13:00:00.000Z'),
      edges: [],
      excess: [range('2026-06-01T12:10:00.000Z', '2026-06-01T13:00:00.000Z')],
    });
  });

  it('a far end is only scanned, for microseconds are no whole numbers there', () => {
    const end = '9999-12-31T23:59:59.999999Z';
    expect(cutRange(range('2026-01-01T22:00:00.000Z', end), { ...plain, mayExceed: true })).toMatchObject({
      weeks: [range('2026-01-05T00:00:00.000Z', '2255-01-01T00:00:00.000Z')],
      days: [range('2026-01-02T00:00:00.000Z', '2026-01-05T00:00:00.000Z')],
      whole: range('2026-01-01T22:00:00.000Z', '2255-01-01T00:00:00.000Z'),
      edges: [range('2255-01-01T00:00:00.000Z', end)],
      excess: [],
    });
    const far = range('9999-12-31T22:00:00.000Z', end);
    expect(cutRange(far, { ...plain, mayExceed: true })).toEqual(uncut(far));
  });

  it('a range within one hour is that hour with both ends taken off, or scanned', () => {
    expect(cut('01-01T22:05', '01-01T22:55')).toMatchObject({
      whole: range('2026-01-01T22:00:00.000Z', '2026-01-01T23:00:00.000Z'),
      excess: [{}, {}],
    });
    expect(cut('01-01T22:05', '01-01T22:15')).toMatchObject({ whole: null, excess: [], edges: [{}] });
    expect(cut('01-01T22:05', '01-01T22:05')).toMatchObject({ whole: null, excess: [] });
  });
});

describe('bucketStarts', () => {
  it('has each bucket that the range touches', () => {
    expect(starts('2026-01-01T22:59:59.999Z', '2026-01-02T00:00:00.000Z')).toEqual(['22:00', '23:00']);
    expect(starts('2026-01-01T22:00:00.000Z', '2026-01-01T23:00:00.000001Z')).toEqual(['22:00', '23:00']);
    expect(starts('2026-01-01T22:00:00.000Z', '2026-01-01T22:00:00.000Z')).toEqual([]);
  });
  it('begins weeks on Monday', () => {
    const weeks = bucketStarts({ start: '2026-01-01T00:00:00.000Z', end: '2026-01-12T00:00:00.000001Z' }, 'week');
    expect(weeks.map((ms) => new Date(ms).toISOString())).toEqual([
      '2025-12-29T00:00:00.000Z',
      '2026-01-05T00:00:00.000Z',
      '2026-01-12T00:00:00.000Z',
    ]);
    const [before] = bucketStarts({ start: '1970-01-01T00:00:00.000Z', end: '1970-01-01T00:00:01.000Z' }, 'week');
    expect(new Date(before!).toISOString()).toBe('1969-12-29T00:00:00.000Z');
  });
});

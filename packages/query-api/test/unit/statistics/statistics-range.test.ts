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
      days: range('2026-01-02T00:00:00.000Z', '2026-01-04T00:00:00.000Z'),
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
    expect(cutRange(whole, plain)).toEqual({ days: whole, hours: [], whole, edges: [], excess: [] });
    expect(cutRange({ ...whole, start: '2026-01-01T00:00:00.000001Z' }, plain)).toMatchObject({
      days: null,
      edges: [range('2026-01-01T00:00:00.000001Z', '2026-01-01T01:00:00.000Z')],
    });
  });

  it('tells hours from hours, and minutes from events', () => {
    const day = range('2026-01-01T00:00:00.000Z', '2026-01-02T00:00:00.000Z');
    expect(cutRange(day, { ...plain, finest: 'hour' })).toEqual({
      days: null,
      hours: [day],
      whole: day,
      edges: [],
      excess: [],
    });
    expect(cutRange(day, { ...plain, finest: 'minute' })).toEqual(uncut(day));
    const short = range('2026-01-01T00:10:00.000Z', '2026-01-01T01:50:00.000Z');
    expect(cutRange(short, plain)).toEqual(uncut(short));
  });
});

describe('cutRange, when events may be taken off again', () => {
  it('takes the whole hour where less of it is outside than inside', () => {
    expect(cut('01-01T22:10', '01-02T03:50')).toEqual({
      days: null,
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
      days: range('2026-01-02T00:00:00.000Z', '2255-01-01T00:00:00.000Z'),
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
});

import { expect, it } from 'vitest';
import { utcMillis } from '../../src/utc-millis.ts';

/** Every eleventh day, so that each day of each month comes many times. */
const STEP_MS = 11 * 86_400_000;

it('reads days of ten thousand years as JavaScript does', () => {
  const wrong: string[] = [];
  // At another time of day each.
  for (let ms = Date.UTC(-1, 0, 1), at = 0; ms < Date.UTC(10_000, 0, 1); ms += STEP_MS, at += 1) {
    const text = new Date(ms + ((at * 7_919) % 86_400) * 1_000).toISOString();
    if (text.length > 24 || text.startsWith('0000')) continue;
    if (utcMillis(text) !== Date.parse(text)) wrong.push(text);
  }
  expect(wrong).toEqual([]);
});

it.each([
  '',
  '0000-12-31T00:00:00Z',
  '2026-00-10T00:00:00Z',
  '2026-13-10T00:00:00Z',
  '2026-01-00T00:00:00Z',
  '2026-04-31T00:00:00Z',
  '2026-02-29T00:00:00Z',
  '1900-02-29T00:00:00Z',
  '2026-01-31T24:00:00Z',
  '2026-01-31T09:60:00Z',
  '2016-12-31T23:59:60Z',
  '2026-01-31 09:30:00Z',
  '2026-01-31T09:30',
  '2026/01/31T09:30:00Z',
  '2026-01-31T09.30.00Z',
  '2026-01-3aT09:30:00Z',
  '+026-01-31T09:30:00Z',
  '２０２６-01-31T09:30:00Z',
])('%j is none', (text) => {
  expect(utcMillis(text)).toBeNaN();
});

import { expect, it } from 'vitest';
import { deal, median, quantile, threeDigits } from '../../src/figures.ts';

it('finds the value below which a share lies', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
  expect([0.5, 0.95, 0.99, 1].map((share) => quantile(hundred, share))).toEqual([50, 95, 99, 100]);
  expect(quantile([7], 0.99)).toBe(7);
  expect(quantile([], 0.5)).toBeNaN();
});

it('finds the median, whatever the order', () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(median([7])).toBe(7);
});

it('finds the mean of the middle two for an even number', () => {
  expect(median([9, 1, 4, 5])).toBe(4.5);
  expect(median([1, 2])).toBe(1.5);
  expect(median([])).toBeNaN();
});

it('distributes values over rounds in turn', () => {
  expect(deal([1, 2, 3, 4, 5], 2)).toEqual([
    [1, 3, 5],
    [2, 4],
  ]);
});

it.each([
  [0.01234, '0.0123'],
  [1.234, '1.23'],
  [99.94, '99.9'],
  [12_345.6, '12,346'],
  [Number.NaN, '–'],
])('writes %d as %s', (value, text) => {
  expect(threeDigits(value)).toBe(text);
});

/** The value below which `share` (0 to 1) of the values are; NaN for no values. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** The median; for an even number of values the mean of the middle two; NaN for no values. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? Number.NaN) + (sorted[Math.floor(middle)] ?? Number.NaN)) / 2;
}

/** Distributes values over `rounds` in turn, so that each round covers the whole run. */
export function deal<T>(values: readonly T[], rounds: number): T[][] {
  return Array.from({ length: rounds }, (_, round) => values.filter((_value, index) => index % rounds === round));
}

/** Three significant digits: 0.0123, 1.23, 12.3, 123. */
export function threeDigits(value: number): string {
  if (!Number.isFinite(value)) return '–';
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);
}

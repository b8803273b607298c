import { expect, it } from 'vitest';
import { formatStatus } from '../../src/commands/status.ts';

const waiting = (length: number, rate: number, left: number | null): string =>
  formatStatus({
    shards: [],
    totals: { length, bytes: 0, pending: 0 },
    conservation: {
      entries: { added: length, settled: 0, waiting: length, orphaned: 0, drift: 0 },
      events: { settled: 0, stored: 0, duplicate: 0, dead: 0, drift: 0 },
    },
    drain_rate_per_second: rate,
    seconds_to_empty: left,
  });

it.each([
  [1, 0, null, "1 entry waits; none left in the last 10 s: look at the writers' /health."],
  [39, 0.1, 390, '39 entries wait; 0.1 a second are drained; empty in 6 min 30 s.'],
  [90_000, 1500.4, 60, '90,000 entries wait; 1,500 a second are drained; empty in 1 min.'],
])('%d entries that leave at %d a second', (length, rate, left, text) => {
  expect(waiting(length, rate, left)).toContain(text);
});

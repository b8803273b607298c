import { expect, it } from 'vitest';
import { formatStatus } from '../../src/commands/status.ts';

const queue = (length: number, rate: number, left: number | null): Parameters<typeof formatStatus>[0] => ({
  shards: [],
  consumers: [],
  totals: { length, bytes: 0, pending: 0 },
  conservation: {
    entries: { added: length, settled: 0, waiting: length, orphaned: 0, drift: 0 },
    events: { settled: 0, stored: 0, duplicate: 0, dead: 0, drift: 0 },
  },
  drain_rate_per_second: rate,
  seconds_to_empty: left,
});

const waiting = (length: number, rate: number, left: number | null): string =>
  formatStatus(queue(length, rate, left), []);

it.each([
  [1, 0, null, "1 entry waits; none left in the last 10 s: look at the writers' /health."],
  [39, 0.1, 390, '39 entries wait; 0.1 a second are drained; empty in 6 min 30 s.'],
  [90_000, 1500.4, 60, '90,000 entries wait; 1,500 a second are drained; empty in 1 min.'],
])('%d entries that leave at %d a second', (length, rate, left, text) => {
  expect(waiting(length, rate, left)).toContain(text);
});

it('a stall says since when, why and how much waits for it', () => {
  const stalled = { since: '2026-11-21T17:41:23.500Z', code: '23514', message: 'period is closed', entries: 1 };
  const consumers = [{ name: 'writer-1', status: 'unhealthy' as const, pending: 1, failed: [], stalled }];
  const text = formatStatus({ ...queue(1, 0, null), consumers }, []);
  expect(text).toMatch(/^writer-1: STALLED since \d\d:41:23: period is closed \[23514\], 1 entry$/m);
  expect(text).toContain('1 entry waits; none left in the last 10 s.');
});

it('daemons are listed, with the reason why one cannot do its work', () => {
  const since = '2026-11-21T17:41:23.000Z';
  const daemon = {
    daemon: 'ingest-api',
    instance: 'ingest-api:host-1:4711',
    host: 'host-1',
    pid: 4711,
    version: '0.2.0',
    started_at: '2026-11-21T17:00:00.000Z',
    reported_at: '2026-11-21T17:42:00.000Z',
    status: 'unhealthy' as const,
    ready: false,
    checks: {
      redis: { status: 'failed' as const, message: 'Redis is a read-only replica.', since },
      queue: { status: 'ok' as const, since },
    },
  };
  const text = formatStatus(queue(0, 0, 0), [daemon]);
  expect(text).toMatch(/ingest-api \W+host-1:4711 \W+0\.2\.0 \W+42 min \W+unhealthy/);
  expect(text).toMatch(/^ingest-api:host-1:4711: redis: Redis is a read-only replica\. \(since \d\d:41:23\)$/m);
  expect(text).not.toContain('queue failed');
});

it('the reason why daemons cannot be shown is shown', () => {
  expect(formatStatus(queue(0, 0, 0), 'Redis is a read-only replica.')).toContain(
    'Daemons cannot be shown: Redis is a read-only replica.',
  );
});

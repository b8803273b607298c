import { expect, test } from 'vitest';
import { formatReport, reportBurst } from '../../src/demo-report.ts';

const BURST = {
  sent: 1_010,
  accepted: 1_000,
  rejected: 10,
  rejections: { invalid_timestamp: 10 },
  batches: 3,
  answers: { 202: 2, 422: 1, 429: 4 },
  latenciesMs: [30, 10, 20],
  startedAt: 1_000,
  endedAt: 1_500,
};

test('all stored once: rates count from the first request, the drain from the last answer', () => {
  const stored = { ids: 990, alreadyStored: 90, newlyStored: 900, once: 990, missing: 0, drainedAt: 2_000 };
  const report = reportBurst(BURST, stored);
  expect(report).toMatchObject({
    ok: true,
    ack_p50_ms: 20,
    ack_p99_ms: 30,
    acked_per_second: 2_000,
    stored_per_second: 900,
    drain_seconds: 0.5,
  });
  expect(formatReport(report)).toMatchInlineSnapshot(`
    "┌──────────────────┬───────────────────────────────────────┐
    │ events sent      │ 1,010 in 3 batches                    │
    │ answered 202     │ 2   others: 422: 1, 429: 4            │
    │ rejected         │ 10   invalid_timestamp: 10            │
    │ ack p50 / p99    │ 20.0 / 30.0 ms                        │
    │ acked            │ 2,000 events/s                        │
    │ stored           │ 900 events/s                          │
    │ already stored   │ 90, sent before; not stored again     │
    │ same id twice    │ 10, stored once                       │
    │ stored once each │ 990 of 990   all, checked in Postgres │
    │ time to drain    │ 0.50 s after the last 202             │
    └──────────────────┴───────────────────────────────────────┘"
  `);
});

test.for([
  { ids: 1_000, alreadyStored: 0, newlyStored: 998, once: 998, missing: 2, drainedAt: undefined },
  { ids: 1_000, alreadyStored: 0, newlyStored: 1_000, once: 999, missing: 0, drainedAt: 2_000 },
])('what is missing or stored twice is not all right: %j', (stored) => {
  const report = reportBurst(BURST, stored);
  expect(report.ok).toBe(false);
  expect(formatReport(report)).toContain('NOT ALL');
});

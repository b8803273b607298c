import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Checked } from '../../../src/http/health.ts';
import { createReadinessLog } from '../../../src/http/readiness-log.ts';
import { createLogger } from '../../../src/log/logger.ts';

/** How long the log waits before it says `not ready`, in milliseconds. */
const PATIENCE = 4_000;

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => void vi.useRealTimers());

/** Results of the checks: names of critical ones that failed, with their reasons. */
const results = (failed: Record<string, string>): Checked[] => [
  ...['redis', 'postgres'].map((name) => ({
    check: { name, critical: true, run: () => ({ ok: true }) },
    result: name in failed ? { ok: false, detail: { error: failed[name]! } } : { ok: true },
  })),
  // Its failure leaves a daemon ready.
  { check: { name: 'partitions', critical: false, run: () => ({ ok: true }) }, result: { ok: false } },
];

function start() {
  const lines: Record<string, unknown>[] = [];
  const logger = createLogger(
    { daemon: 'ingest-api', version: '0', level: 'info' },
    { write: (text: string) => void lines.push(JSON.parse(text) as Record<string, unknown>) },
  );
  return {
    log: createReadinessLog(logger),
    said: () => lines.splice(0).map(({ msg, reasons }) => (reasons === undefined ? msg : [msg, reasons])),
  };
}

it('says ready once, and not before it may', () => {
  const { log, said } = start();
  log.saw(results({}));
  expect(said()).toEqual([]);
  log.begin();
  log.saw(results({}));
  expect(said()).toEqual(['ready']);
});

it('of a daemon that cannot work says so after a while, with the reasons, and ready only when it is', () => {
  const { log, said } = start();
  log.begin();
  log.saw(results({ redis: 'refused' }));
  expect(said()).toEqual([]);
  vi.advanceTimersByTime(PATIENCE);
  log.saw(results({ redis: 'refused' }));
  log.saw(results({ redis: 'reset' }));
  expect(said()).toEqual([['not ready', { redis: 'refused' }]]);
  // One line for an outage; `/ready` has what is added to it.
  log.saw(results({ redis: 'refused', postgres: 'away' }));
  expect(said()).toEqual([]);
  log.saw(results({}));
  expect(said()).toEqual(['ready']);
});

it('says nothing of a failure that passes within a moment', () => {
  const { log, said } = start();
  log.begin();
  log.saw(results({}));
  for (let turn = 0; turn < 3; turn += 1) {
    log.saw(results({ redis: 'refused' }));
    vi.advanceTimersByTime(PATIENCE - 1);
    log.saw(results({ redis: 'refused' }));
    log.saw(results({}));
  }
  expect(said()).toEqual(['ready']);
});

import { expect, it } from 'vitest';
import { backoffDelay } from '../../../src/retry/backoff.ts';
import { retry } from '../../../src/retry/retry.ts';

const QUICK = { initialMs: 1, maxMs: 1 };

it('the wait doubles up to its maximum, with the given random share', () => {
  const exact = { initialMs: 100, maxMs: 1_000, jitter: 0 };
  expect([1, 2, 3, 4, 5, 1_000].map((attempt) => backoffDelay(exact, attempt))).toEqual([
    100, 200, 400, 800, 1_000, 1_000,
  ]);
  const waits = Array.from({ length: 1_000 }, () => backoffDelay({ initialMs: 100, maxMs: 1_000 }, 1));
  expect(Math.min(...waits)).toBeGreaterThanOrEqual(50);
  expect(Math.max(...waits)).toBeLessThanOrEqual(100);
  expect(new Set(waits).size).toBeGreaterThan(900);
});

it('tries until it works, and reports each failure', async () => {
  const failures: string[] = [];
  const result = await retry(
    async (attempt) => {
      if (attempt < 3) throw new Error(`away ${attempt}`);
      return `done at ${attempt}`;
    },
    {
      backoff: QUICK,
      signal: new AbortController().signal,
      onFailure: (error, attempt) => void failures.push(`${attempt}: ${(error as Error).message}`),
    },
  );
  expect(result).toBe('done at 3');
  expect(failures).toEqual(['1: away 1', '2: away 2']);
});

it('an aborted signal ends the wait and the tries', async () => {
  const stop = new AbortController();
  let tries = 0;
  const result = retry(
    () => {
      tries += 1;
      return Promise.reject(new Error('away'));
    },
    { backoff: { initialMs: 3_600_000, maxMs: 3_600_000 }, signal: stop.signal, onFailure: () => stop.abort() },
  );
  expect(await result).toBeNull();
  expect(tries).toBe(1);
});

it('makes the first try also after the signal: what is stored must be acknowledged', async () => {
  expect(await retry(async () => 'done', { backoff: QUICK, signal: AbortSignal.abort(), onFailure: () => {} })).toBe(
    'done',
  );
});

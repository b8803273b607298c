import { expect, it } from 'vitest';
import { TimeoutError, waitAtMost, withTimeout } from '../../../src/retry/with-timeout.ts';

const never = new Promise<string>(() => {});

it('returns what the work returns, or throws what it throws', async () => {
  expect(await withTimeout(Promise.resolve('done'), 60_000)).toBe('done');
  expect(await withTimeout('at once', 60_000)).toBe('at once');
  await expect(withTimeout(Promise.reject(new Error('broken')), 60_000)).rejects.toThrow('broken');
});

it('rejects when the work is late, and says after how long, or what the caller says', async () => {
  await expect(withTimeout(never, 5)).rejects.toThrow(new TimeoutError('no answer within 5 ms'));
  await expect(withTimeout(never, 5, { message: 'too late' })).rejects.toBeInstanceOf(TimeoutError);
  await expect(withTimeout(never, 5, { message: 'too late' })).rejects.toThrow('too late');
});

it('rejects with the reason of the signal, also of one that was aborted before', async () => {
  const stop = new AbortController();
  const waiting = withTimeout(never, 60_000, { signal: stop.signal });
  stop.abort(new Error('stopped'));
  await expect(waiting).rejects.toThrow('stopped');
  await expect(withTimeout(never, 60_000, { signal: stop.signal })).rejects.toThrow('stopped');
});

function timers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
}

it('leaves no timer, whatever ended the wait', async () => {
  const before = timers();
  await withTimeout(Promise.resolve(), 60_000);
  await withTimeout(Promise.reject(new Error('broken')), 60_000).catch(() => {});
  await withTimeout(never, 60_000, { signal: AbortSignal.abort(new Error('stopped')) }).catch(() => {});
  expect(timers()).toBe(before);
});

it('a failure that comes too late is ignored', async () => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => void unhandled.push(reason);
  process.on('unhandledRejection', note);
  const { promise, reject } = Promise.withResolvers<never>();
  await expect(withTimeout(promise, 1)).rejects.toBeInstanceOf(TimeoutError);
  reject(new Error('late'));
  await new Promise((resolve) => setImmediate(resolve));
  process.off('unhandledRejection', note);
  expect(unhandled).toEqual([]);
});

it('waitAtMost: late work is no error; work that fails in time is one', async () => {
  await waitAtMost(5, never);
  await waitAtMost(60_000, Promise.resolve('done'));
  await expect(waitAtMost(60_000, Promise.reject(new Error('broken')))).rejects.toThrow('broken');
});

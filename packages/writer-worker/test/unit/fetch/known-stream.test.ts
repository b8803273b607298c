import { describe, expect, it } from 'vitest';
import { KnownStream } from '../../../src/fetch/known-stream.ts';

describe('the stream of a read that ends because it is gone was drained', () => {
  it.each([
    ['it is empty', { length: 0, own: 0, others: 0 }, true],
    ['all of it is in work here', { length: 3, own: 3, others: 0 }, true],
    ['what is in work was deleted by hand', { length: 1, own: 3, others: 0 }, true],
    ['not while an entry is pending at another writer', { length: 1, own: 0, others: 1 }, false],
    ['not while an entry is pending at nobody', { length: 4, own: 3, others: 0 }, false],
    ['not where Redis does not say', null, false],
  ])('%s', (_, before, isDrained) => {
    const known = new KnownStream();
    known.readBegan(before);
    expect(known.isDrained).toBe(isDrained);
  });

  it('before the first read nothing is known', () => {
    expect(new KnownStream().isDrained).toBe(false);
  });
});

/** @param startedAt of the server, relative to the moment at which the connection broke */
function afterBreak(answered: boolean, startedAt: number | null): boolean {
  let now = 1_000_000;
  const known = new KnownStream(() => now);
  known.readBegan({ length: 0, own: 0, others: 0 });
  known.failed(answered);
  // Further tries fail too; the first break counts.
  now += 60_000;
  known.failed(false);
  known.reconnected(startedAt === null ? null : 1_000_000 + startedAt);
  return known.isDrained;
}

describe('after a read that failed', () => {
  it.each([
    ['the server ended with the connection and was started again', false, 500, true],
    ['the server started just before, as whole seconds show it', false, -1_500, true],
    ['the server lived on, and others may have added entries', false, -60_000, false],
    ['the server does not say when it started', false, null, false],
    ['the server answered with an error, so the read waited no longer', true, 500, false],
  ])('%s', (_, answered, startedAt, isDrained) => {
    expect(afterBreak(answered, startedAt)).toBe(isDrained);
  });

  it('the read before it was answered, and this one never came to Redis', () => {
    const known = new KnownStream(() => 1_000_000);
    known.readBegan({ length: 0, own: 0, others: 0 });
    known.read([{ key: 'k', id: '5-1', fields: [] }]);
    known.failed(false);
    known.reconnected(1_000_500);
    expect(known.isDrained).toBe(false);
  });
});

it('a stream that lacks what was read from it is older, until it is known as such', () => {
  const known = new KnownStream();
  expect(known.isOlder('0-0')).toBe(false);
  known.read([{ key: 'k', id: '5-1', fields: [] }]);
  expect([known.isOlder('5-0'), known.isOlder('5-1'), known.isOlder('6-0')]).toEqual([true, false, false]);
  known.became(3, '5-0');
  expect(known.isOlder('5-0')).toBe(false);
});

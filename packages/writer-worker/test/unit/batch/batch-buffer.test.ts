import { describe, expect, it, vi } from 'vitest';
import type { CanonicalEvent } from '@sluice/events/canonical-event';
import type { DecodedEntry } from '@sluice/store/write/decode-entry';
import { BatchBuffer } from '../../../src/batch/batch-buffer.ts';

const LIMITS = { maxEvents: 500, maxBytes: 4_000, lingerMs: 3_600_000 };

function entry(id: number, events: number, bytes = events): DecodedEntry {
  return {
    key: 'shard',
    id: String(id),
    fields: [],
    replayOf: null,
    traceparent: null,
    receivedAt: null,
    decoding: { from: 0, to: 0 },
    unreadable: null,
    events: Array.from({ length: events }, () => ({}) as CanonicalEvent),
    accepted: events,
    bytes,
  };
}

const idsOf = (batch: { entries: readonly DecodedEntry[] } | null): string[] | undefined =>
  batch?.entries.map((each) => each.id);

describe('entries are merged', () => {
  it('up to the limit of events, in their order, and never split', async () => {
    const buffer = new BatchBuffer(LIMITS);
    [200, 200, 200, 400].forEach((events, id) => buffer.push(entry(id, events)));
    expect(idsOf(await buffer.take())).toEqual(['0', '1']);
    expect(idsOf(await buffer.take())).toEqual(['2']);
    expect([buffer.events, buffer.bytes]).toEqual([400, 400]);
  });

  it('up to the limit of bytes', async () => {
    const buffer = new BatchBuffer(LIMITS);
    [1, 1, 1].forEach((events, id) => buffer.push(entry(id, events, 1_900)));
    expect(idsOf(await buffer.take())).toEqual(['0', '1']);
  });

  it('not at all when one alone is over a limit', async () => {
    const buffer = new BatchBuffer(LIMITS);
    buffer.push(entry(0, 900, 9_000));
    buffer.push(entry(1, 1));
    expect(idsOf(await buffer.take())).toEqual(['0']);
  });
});

describe('a batch that is not full', () => {
  it('waits for its linger, then goes', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    const buffer = new BatchBuffer({ ...LIMITS, lingerMs: 100 });
    const taken = vi.fn();
    void buffer.take().then(taken);
    buffer.push(entry(0, 1));
    await vi.advanceTimersByTimeAsync(60);
    buffer.push(entry(1, 1));
    await vi.advanceTimersByTimeAsync(39);
    expect(taken).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(idsOf(taken.mock.calls[0]?.[0])).toEqual(['0', '1']);
    vi.useRealTimers();
  });

  it('goes at once when the buffer is closed; then waiting takers get null', async () => {
    const buffer = new BatchBuffer(LIMITS);
    const takers = [buffer.take(), buffer.take()];
    buffer.push(entry(0, 1));
    buffer.close();
    const [first, second] = await Promise.all(takers);
    expect([idsOf(first!), second]).toEqual([['0'], null]);
    expect(await buffer.take()).toBeNull();
  });
});

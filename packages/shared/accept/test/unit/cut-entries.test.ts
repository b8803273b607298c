import { describe, expect, it } from 'vitest';
import { governanceTracker } from '@sluice/events/adapters/governance-tracker/governance-tracker';
import { decodeEntry, MAX_ENTRY_BYTES, MAX_ENTRY_EVENTS } from '@sluice/stream/stream-entry';
import { forSeeds, type Random } from '@sluice/testkit/random';
import { randomJson } from '@sluice/testkit/random-json';
import { cutEntries, fitsOneEntry } from '../../src/cut-entries.ts';

const header = {
  source: 'governance-tracker',
  tenant: 'acme',
  batchId: '0b3f6a52-6d0e-4c57-9a38-5f0d7a1c9e11',
  clientIp: null,
  receivedAt: '2026-01-31T09:30:00.000Z',
  traceparent: null,
};

interface Entry {
  readonly body: string;
  readonly events: unknown[];
  /** Index in the batch and JSON text of each accepted event. */
  readonly accepted: { index: number; event: unknown }[];
}

/** Cuts a batch, and reads its entries as a writer does. */
function cut(texts: readonly string[], rejected: readonly number[], withoutRejected = false): Entry[] {
  const body = Buffer.from(`{"events":[${texts.join(',')}]}`);
  const batch = { adapter: governanceTracker, body, eventCount: texts.length, rejected, withoutRejected, header };
  const { entries, accepted: all } = cutEntries({ ...batch, locate: () => governanceTracker.locate(body) });
  expect(all).toBe(texts.length - rejected.length);
  return entries.map((fields) => {
    const decoded = decodeEntry(fields.map((field) => Buffer.from(field as string)));
    const { events } = JSON.parse(decoded.body) as { events: unknown[] };
    const { firstIndex, rejected: places, accepted: count, ...rest } = decoded.header;
    expect(rest).toEqual(header);
    const accepted = events
      .map((event, place) => ({ index: firstIndex + place, event }))
      .filter((_, place) => !places.includes(place));
    expect(accepted).toHaveLength(count);
    return { body: decoded.body, events, accepted };
  });
}

/** Fails unless the entries hold exactly the accepted events, in order, within the limits. */
function expectWhole(texts: readonly string[], rejected: readonly number[]): Entry[] {
  const entries = cut(texts, rejected);
  expect(entries.flatMap(({ accepted }) => accepted)).toEqual(
    texts.flatMap((text, index) => (rejected.includes(index) ? [] : [{ index, event: JSON.parse(text) as unknown }])),
  );
  for (const { body, events, accepted } of entries) {
    expect(accepted.length).toBeGreaterThan(0);
    expect(events.length).toBeLessThanOrEqual(MAX_ENTRY_EVENTS);
    if (events.length > 1) expect(Buffer.byteLength(body)).toBeLessThanOrEqual(MAX_ENTRY_BYTES);
  }
  return entries;
}

function randomBatch(random: Random): { texts: string[]; rejected: number[] } {
  const padding = random.pick([0, 0, 100, 5_000, 40_000]);
  const texts = Array.from(
    { length: 1 + random.int(padding > 1_000 ? 120 : 1_600) },
    () => `{"a":${randomJson(random, 2)},"p":"${'x'.repeat(random.int(padding + 1))}"}`,
  );
  const share = random.int(10);
  const rejected = texts.flatMap((_, index) => (random.int(10) < share ? [index] : []));
  return { texts, rejected: rejected.length === texts.length ? rejected.slice(1) : rejected };
}

/** Two events that have N bytes together. */
const halves = (bytes: number): string[] =>
  [Math.floor(bytes / 2), Math.ceil(bytes / 2)].map((size) => `"${'x'.repeat(size - 2)}"`);

describe('cutEntries', () => {
  it('returns exactly the accepted events of any batch, in order, under their own indices', () => {
    forSeeds((random) => {
      const { texts, rejected } = randomBatch(random);
      expectWhole(texts, rejected);
    }, 60);
  });

  it('leaves a body unchanged when it fits one entry', () => {
    const texts = Array.from({ length: 500 }, (_, n) => `{ "n" : ${n} }`);
    expect(expectWhole(texts, [7])[0]?.body).toBe(`{"events":[${texts.join(',')}]}`);
  });

  it.each([
    [500, 1],
    [501, 2],
    [1_000, 2],
    [1_001, 3],
  ])('cuts %i events into %i entries', (count, entries) => {
    const texts = Array.from({ length: count }, (_, n) => String(n));
    expect(expectWhole(texts, [])).toHaveLength(entries);
  });

  it('fills an entry to the last byte', () => {
    // Two events, their comma, and 13 bytes around them.
    const filler = `"${'y'.repeat(1_000)}"`;
    const room = MAX_ENTRY_BYTES - 14;
    const [first] = expectWhole([...halves(room - 1), filler], []);
    expect(Buffer.byteLength(first!.body)).toBe(MAX_ENTRY_BYTES - 1);
    expect(expectWhole([...halves(room + 1), filler], [])[0]?.events).toHaveLength(1);
  });

  it('puts an event that is larger than an entry into an entry of its own', () => {
    const large = `"${'x'.repeat(MAX_ENTRY_BYTES)}"`;
    expect(expectWhole(['1', large, '2'], []).map(({ accepted }) => accepted.length)).toEqual([1, 1, 1]);
  });

  it('leaves out the bytes of rejected events, and entries that would hold only rejected ones', () => {
    const large = `"${'x'.repeat(MAX_ENTRY_BYTES)}"`;
    const entries = expectWhole(['1', large, '2'], [1]);
    expect(entries.map(({ body }) => body)).toEqual(['{"events":[1,null,2]}']);
    const texts = Array.from({ length: 1_500 }, (_, n) => String(n));
    const middle = Array.from({ length: 500 }, (_, n) => 500 + n);
    expect(expectWhole(texts, middle)).toHaveLength(2);
  });

  it('leaves out rejected events of a body that fits one entry only if told to', () => {
    expect(cut(['1', '2', '3'], [1], false).map(({ body }) => body)).toEqual(['{"events":[1,2,3]}']);
    expect(cut(['1', '2', '3'], [1], true).map(({ body }) => body)).toEqual(['{"events":[1,null,3]}']);
  });
});

it.each([
  [500, MAX_ENTRY_BYTES, true],
  [501, 10, false],
  [1, MAX_ENTRY_BYTES + 1, false],
])('%i events in %i bytes fit one entry: %s', (count, bytes, fits) => {
  expect(fitsOneEntry(Buffer.alloc(bytes), count)).toBe(fits);
});

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { expectError } from '@sluice/testkit/expect-error';
import { startIngest, type TestIngest } from '@sluice/testkit/ingest';
import { makeEvent, makeEvents } from '@sluice/testkit/make-event';
import { peakMemory, resetPeakMemory } from './fixtures/process-usage.ts';
import { ENCODINGS, type Encoding } from './fixtures/zip-bomb.ts';

/** What a body costs grows with its values. None of these may cost more than its bytes. */
const MIB = 1024 * 1024;

let ingest: TestIngest;
beforeAll(async () => {
  ingest = await startIngest();
});
afterAll(() => ingest.stop());
beforeEach(() => ingest.clear());

/** 16 MiB of empty objects, as events. */
const bomb = Buffer.from(`{"events":[${Array(5_592_379).fill('{}').join(',')}]}`);

/** An event with a property of this JSON. */
const eventWith = (value: string): string => `${JSON.stringify(makeEvent()).slice(0, -1)},"v":${value}}`;
const list = (value: string, count: number): string => `[${Array(count).fill(value).join(',')}]`;
const batch = (events: readonly string[]): string => `{"events":[${events.join(',')}]}`;

describe('16 MiB of empty objects', () => {
  it('are refused before they are parsed, and take no more memory than their bytes', async () => {
    const before = resetPeakMemory(ingest.daemon.pid);
    for (let times = 0; times < 5; times += 1) {
      expectError(await ingest.send(bomb), 'too_many_values', /more than 1000000 values/);
    }
    // Parsed, one of them takes 440 MB of heap.
    expect(peakMemory(ingest.daemon.pid) - before).toBeLessThan(200 * MIB);
    expect(await ingest.entries()).toEqual([]);
  });

  it.each(Object.keys(ENCODINGS) as Encoding[])('as %s are refused while they are unpacked', async (encoding) => {
    const compressed = ENCODINGS[encoding].encode(bomb);
    const before = resetPeakMemory(ingest.daemon.pid);
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => ingest.send(compressed, { 'content-encoding': encoding })),
    );
    for (const answer of answers) expectError(answer, 'compression_ratio_too_high', /200 times its size/);
    expect(peakMemory(ingest.daemon.pid) - before).toBeLessThan(100 * MIB);
    expect((await ingest.send({ events: [makeEvent()] })).status).toBe(202);
  });
});

describe('too many events', () => {
  it('are counted before a large body is parsed', async () => {
    const count = 400_000;
    expectError(
      await ingest.send(batch(Array<string>(count).fill('{}'))),
      'too_many_events',
      /has 400000 events; the limit is 1000/,
    );
    // A body that is not JSON is not parsed either.
    expectError(await ingest.send(`{"events":[${'{},'.repeat(count)}`), 'too_many_events');
  });

  it('elsewhere in the body are not events', async () => {
    const meta = list('{}', 100_000);
    const body = `{"meta":{"events":${meta}},"events":[${JSON.stringify(makeEvent())}]}`;
    expect((await ingest.send(body)).body).toMatchObject({ accepted: 1 });
  });
});

describe('an event of too many values', () => {
  it.each([
    ['empty objects', '{}'],
    ['empty arrays', '[]'],
    ['numbers', '0'],
  ])('of %s is rejected alone, whatever its batch is', async (_what, value) => {
    const bad = eventWith(list(value, 60_000));
    const [first, last] = makeEvents(2).map((event) => JSON.stringify(event));
    for (const filler of [[], Array<string>(3).fill(eventWith(`"${'x'.repeat(200_000)}"`))]) {
      const { status, body } = await ingest.send(batch([first!, bad, ...filler, last!]));
      expect(status).toBe(202);
      expect(body).toMatchObject({
        accepted: 2 + filler.length,
        errors: [{ index: 1, code: 'too_many_values', field: 'v', message: expect.stringMatching(/20000/) }],
      });
    }
  });

  it('63 of them, 16 MB in all, are rejected one by one, and a good one among them is accepted', async () => {
    const bombs = Array.from({ length: 63 }, () => eventWith(list('{}', 83_000)));
    const body = batch([...bombs, JSON.stringify(makeEvent())]);
    // 5.2 million values are too many for a body.
    expectError(await ingest.send(body), 'too_many_values');
    const few = batch([...bombs.slice(0, 10), JSON.stringify(makeEvent())]);
    const answer = await ingest.send(few);
    expect(answer.body).toMatchObject({ accepted: 1, rejected: 10 });
    expect((await ingest.queued()).map(({ index }) => index)).toEqual([10]);
  });

  it('is rejected by /collect', async () => {
    expectError(await ingest.collect(`{"v":${list('0', 60_000)}}`), 'no_valid_events', /too_many_values: .* in v\./);
  });

  it('as many as there may be are accepted', async () => {
    // The event, its nine properties and the list are eleven.
    const { body } = await ingest.send(batch([eventWith(list('0', 19_989)), eventWith(list('0', 19_990))]));
    expect(body).toMatchObject({ accepted: 1, errors: [{ index: 1, code: 'too_many_values' }] });
  });
});

describe('numbers that Postgres writes out', () => {
  it.each(['1e308', '1E+0308', '-1e-307', '[[1e-300]]', '{"a":1e308}'])(
    '%s: the event is rejected alone, and its message names the property',
    async (number) => {
      const events = [eventWith(list(number, 900)), JSON.stringify(makeEvent()), eventWith(list(number, 100))];
      const { status, body } = await ingest.send(batch(events));
      expect(status).toBe(202);
      expect(body).toMatchObject({
        accepted: 2,
        errors: [
          { index: 0, code: 'event_too_large', field: 'v', message: expect.stringMatching(/written out.* in v;/) },
        ],
      });
      expectError(await ingest.collect(`{"v":${list(number, 900)}}`), 'no_valid_events', /event_too_large: .* in v;/);
    },
  );

  it('sixty events of 43,000 such numbers are rejected, and the good one among them is accepted', async () => {
    const events = Array.from({ length: 3 }, () => eventWith(list('1e308', 43_000)));
    const { status, body } = await ingest.send(batch([...events, JSON.stringify(makeEvent())]));
    expect(status).toBe(202);
    expect(body).toMatchObject({ accepted: 1, rejected: 3 });
    expect(body.errors[0]).toMatchObject({ field: 'v' });
  });
});

describe('a quota', () => {
  it('is charged for the bytes of refused bodies too', async () => {
    const limited = await startIngest({ API_KEY: 'the-key', INGEST_RATE_LIMIT: '1' });
    try {
      const key = { 'x-api-key': 'the-key' };
      // 1 MiB costs 256 events, and so 256 s.
      expectError(await limited.send(`{"events":[${' '.repeat(MIB)}`, key), 'malformed_json');
      expectError(await limited.send({ events: [makeEvent()] }, key), 'quota_exceeded', /Try again in 2[45]\d s/);
    } finally {
      await limited.stop();
    }
  });

  it('is charged for what was unpacked of a bomb', async () => {
    const limited = await startIngest({ API_KEY: 'the-key', INGEST_RATE_LIMIT: '1' });
    try {
      const key = { 'x-api-key': 'the-key' };
      const compressed = ENCODINGS.br.encode(bomb);
      expectError(await limited.send(compressed, { ...key, 'content-encoding': 'br' }), 'compression_ratio_too_high');
      expectError(await limited.send(compressed, { ...key, 'content-encoding': 'br' }), 'quota_exceeded');
    } finally {
      await limited.stop();
    }
  });
});

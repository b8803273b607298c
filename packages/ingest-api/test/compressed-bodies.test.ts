import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { expectError } from '@sluice/testkit/expect-error';
import type { Answer } from '@sluice/testkit/http';
import { startIngest, type TestIngest } from '@sluice/testkit/ingest';
import { makeEvent, makeEvents } from '@sluice/testkit/make-event';
import { answeredPromptly } from './fixtures/answered-promptly.ts';
import { cpuSecondsAtRest, peakMemory, resetPeakMemory } from './fixtures/process-usage.ts';
import { compressed, type Encoding, ENCODINGS, zipBomb } from './fixtures/zip-bomb.ts';

let ingest: TestIngest;

beforeAll(async () => {
  ingest = await startIngest();
});
afterAll(() => ingest.stop());
beforeEach(() => ingest.clear());

const send = (body: Buffer, encoding: string): Promise<Answer> => ingest.send(body, { 'content-encoding': encoding });

/** A bomb that is larger than a read of the socket may reach the limit of bytes before more of it is known to be unpacked. */
function expectBombRefused(answer: Answer, bomb: Buffer): void {
  const isLarge = bomb.length > 64 * 1024 && answer.body.error.code === 'body_too_large';
  if (isLarge) expectError(answer, 'body_too_large', /16777216 bytes after decompression/);
  else expectError(answer, 'compression_ratio_too_high', /more than 200 times its size/);
}

describe.each(Object.keys(ENCODINGS) as Encoding[])('a %s body', (encoding) => {
  const { encode } = ENCODINGS[encoding];

  it('is accepted, and queued as the client meant it', async () => {
    const events = makeEvents(300, { newValue: 'größe' });
    const text = JSON.stringify({ events });
    expect((await send(encode(Buffer.from(text)), encoding)).body).toMatchObject({ accepted: 300 });
    expect((await ingest.entries()).map(({ body }) => body)).toEqual([text]);
    const hit = encode(Buffer.from(JSON.stringify({ siteId: 'docs' })));
    expect((await ingest.collect(hit, { 'content-encoding': encoding })).status).toBe(202);
  });

  it('that is damaged or cut short is answered with 400', async () => {
    const whole = encode(Buffer.from(JSON.stringify({ events: makeEvents(50) })));
    const flipped = Buffer.from(whole);
    flipped.fill(0xff, 0, 4);
    for (const damaged of [whole.subarray(0, -9), whole.subarray(0, 1), flipped, Buffer.from('{}'), Buffer.alloc(0)]) {
      const answer = await answeredPromptly(() => send(damaged, encoding));
      expectError(answer, 'invalid_encoding', new RegExp(`not valid ${encoding}`));
    }
    expect(await ingest.entries()).toEqual([]);
  });

  it('of 1 GiB of zeros is answered with 413 at once, costs little memory, and leaves no work running', async () => {
    const bomb = await zipBomb(encoding);
    const before = resetPeakMemory(ingest.daemon.pid);
    const attack = await answeredPromptly(() => send(bomb, encoding));
    expectBombRefused(attack, bomb);
    const worked = await cpuSecondsAtRest(ingest.daemon.pid);
    for (const answer of await Promise.all(Array.from({ length: 8 }, () => send(bomb, encoding)))) {
      expectBombRefused(answer, bomb);
    }
    const good = encode(Buffer.from(JSON.stringify({ events: [makeEvent()] })));
    expect((await answeredPromptly(() => send(good, encoding))).status).toBe(202);
    // Unpacked to the end, eight of them take many seconds.
    expect((await cpuSecondsAtRest(ingest.daemon.pid)) - worked).toBeLessThan(3);
    expect(peakMemory(ingest.daemon.pid) - before).toBeLessThan(400 * 1024 * 1024);
  });

  it('that exceeds the limit while it is still being sent is answered, and read to its end', async () => {
    // Every encoding halves hex digits.
    const digits = Array.from({ length: 10 }, () => Buffer.from(randomBytes(1024 * 1024).toString('hex')));
    const body = await compressed(encoding, digits);
    expect(body.length).toBeGreaterThan(8 * 1024 * 1024);
    for (let attempt = 0; attempt < 3; attempt += 1) {
      expectError(
        await answeredPromptly(() => send(body, encoding)),
        'body_too_large',
        /16777216 bytes after decompression/,
      );
    }
  });

  it('may unpack to 64 KiB whatever its size, and beyond to 200 times its size', async () => {
    const empty = JSON.stringify({ padding: '', events: [makeEvent()] });
    const padded = (bytes: number, padding: string): Buffer =>
      Buffer.from(empty.replace('"padding":""', `"padding":"${padding}${'x'.repeat(bytes - padding.length)}"`));
    const small = encode(padded(60_000, ''));
    expect(60_000 / small.length).toBeGreaterThan(100);
    expect((await send(small, encoding)).body).toMatchObject({ accepted: 1 });
    // What cannot be compressed makes the ratio what it has to be.
    const noise = randomBytes(6_000).toString('base64');
    const dense = encode(padded(1_000_000, noise));
    expect(1_000_000 / dense.length).toBeLessThan(190);
    expect((await send(dense, encoding)).body).toMatchObject({ accepted: 1 });
    const bomb = encode(padded(1_000_000, ''));
    expect(1_000_000 / bomb.length).toBeGreaterThan(210);
    expectError(await answeredPromptly(() => send(bomb, encoding)), 'compression_ratio_too_high');
  });
});

it.each(['compress', 'gzip, br', 'gzip, gzip', 'rot13', 'x-bzip'])(
  'Content-Encoding %s is answered with 415',
  async (encoding) => {
    const answer = await answeredPromptly(() => send(Buffer.from('{}'), encoding));
    expectError(answer, 'unsupported_media_type', new RegExp(`gzip, br, zstd or deflate; it is ${encoding}`));
  },
);

it.each(['GZIP', 'Gzip', 'x-gzip', 'X-GZip', 'gzip, identity', 'Identity,gzip', ', gzip ,', 'identity, x-gzip'])(
  'Content-Encoding %j is gzip',
  async (encoding) => {
    const text = JSON.stringify({ events: [makeEvent()] });
    expect((await send(gzipSync(text), encoding)).status).toBe(202);
    expect((await ingest.collect(gzipSync('{"siteId":"docs"}'), { 'content-encoding': encoding })).status).toBe(202);
    expect((await ingest.entries()).map(({ body }) => body)).toEqual([text, '{"siteId":"docs"}']);
  },
);

it.each(['BR', 'Zstd', 'DEFLATE'] as const)('Content-Encoding %s is known in any case', async (encoding) => {
  const { encode } = ENCODINGS[encoding.toLowerCase() as Encoding];
  expect((await send(encode(JSON.stringify({ events: [makeEvent()] })), encoding)).status).toBe(202);
});

it.each(['identity', 'IDENTITY', 'identity, identity'])('Content-Encoding %s is no encoding', async (encoding) => {
  expect((await send(Buffer.from(JSON.stringify({ events: [makeEvent()] })), encoding)).status).toBe(202);
});

it('a body without Content-Encoding is counted as it is', async () => {
  expectError(await send(ENCODINGS.gzip.encode(JSON.stringify({ events: [makeEvent()] })), ''), 'invalid_encoding');
});

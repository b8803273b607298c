import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { expectError } from '@sluice/testkit/expect-error';
import { startIngest, type TestIngest } from '@sluice/testkit/ingest';
import { makeEvent } from '@sluice/testkit/make-event';
import { exchange, openConnection, type RawAnswer } from '@sluice/testkit/raw-http';
import { scrape } from '@sluice/testkit/scrape';

const MIB = 1024 * 1024;
const PATIENCE = { timeout: 180_000, interval: 20 };

let ingest: TestIngest;
beforeAll(async () => {
  ingest = await startIngest({ MAX_IN_FLIGHT_BYTES: String(MIB), REQUEST_TIMEOUT_MS: '60000' });
});
afterAll(() => ingest.stop());

/** A batch of about this many bytes, which compression makes half as long. */
function batchOf(bytes: number): string {
  return JSON.stringify({ padding: randomBytes(bytes / 2).toString('hex'), events: [makeEvent()] });
}

/** A request that is sent but for its last byte. */
interface HeldRequest {
  /** What comes before that byte is sent: only a refusal. */
  readonly early: Promise<RawAnswer>;
  finish(): Promise<RawAnswer>;
  giveUp(): void;
}

async function hold(body: string | Buffer, headers = ''): Promise<HeldRequest> {
  const bytes = Buffer.from(body);
  const socket = await openConnection(ingest.url);
  const head = `POST /api/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${headers}Content-Length: ${bytes.length}\r\n\r\n`;
  const early = exchange(socket, Buffer.concat([Buffer.from(head), bytes.subarray(0, -1)]));
  // A request that gives up has no answer, and nobody waits for one.
  early.catch(() => {});
  return {
    early,
    async finish() {
      socket.write(bytes.subarray(-1));
      return early;
    },
    giveUp: () => socket.destroy(),
  };
}

/** Holds two requests that together are too large: which of them is refused depends on whose bytes arrive last. */
async function holdBoth(a: HeldRequest, b: HeldRequest): Promise<{ refused: RawAnswer; survivor: HeldRequest }> {
  return Promise.race([
    a.early.then((refused) => ({ refused, survivor: b })),
    b.early.then((refused) => ({ refused, survivor: a })),
  ]);
}

it('of two bodies that together have too many bytes one is refused with 503, and the other is accepted', async () => {
  const { refused, survivor } = await holdBoth(await hold(batchOf(900_000)), await hold(batchOf(900_000)));
  expectError(refused, 'overloaded', /Send the request again/);
  expect(refused.headers.get('retry-after')).toBe('1');
  expect((await survivor.finish()).status).toBe(202);
});

it('a compressed body counts with what it unpacks to', async () => {
  const compressed = gzipSync(batchOf(900_000));
  expect(compressed.length).toBeLessThan(MIB / 2);
  const both = [
    await hold(compressed, 'Content-Encoding: gzip\r\n'),
    await hold(compressed, 'Content-Encoding: gzip\r\n'),
  ] as const;
  const { refused, survivor } = await holdBoth(...both);
  expectError(refused, 'overloaded');
  expect((await survivor.finish()).status).toBe(202);
});

it('/metrics shows what bodies in flight hold, and the limit', async () => {
  const held = async () => (await scrape(ingest.url)).value('sluice_held_bytes');
  await expect.poll(held, PATIENCE).toBe(0);
  const body = batchOf(300_000);
  const request = await hold(body);
  await expect.poll(held, PATIENCE).toBe(body.length - 1);
  expect((await scrape(ingest.url)).value('sluice_held_max_bytes')).toBe(MIB);
  await request.finish();
  await expect.poll(held, PATIENCE).toBe(0);
});

it('bodies that were answered, refused or given up are not held any more', async () => {
  const { survivor } = await holdBoth(await hold(batchOf(900_000)), await hold(batchOf(900_000)));
  survivor.giveUp();
  await vi.waitFor(async () => expect((await ingest.send(batchOf(900_000))).status).toBe(202), PATIENCE);
  for (let times = 0; times < 5; times += 1) {
    await vi.waitFor(async () => expect((await ingest.send(batchOf(900_000))).status).toBe(202), PATIENCE);
  }
});

it('one body alone may have more bytes than that', async () => {
  await vi.waitFor(async () => expect((await ingest.send(batchOf(2 * MIB))).status).toBe(202), PATIENCE);
});

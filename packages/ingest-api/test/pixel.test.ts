import { afterAll, beforeAll, expect, it } from 'vitest';
import { startIngest, type TestIngest } from '@sluice/testkit/ingest';

let ingest: TestIngest;

beforeAll(async () => {
  ingest = await startIngest({ API_KEY: 'k', COLLECT_SITES: 'docs' });
});
afterAll(() => ingest.stop());

async function pixel(query: string): Promise<{ response: Response; picture: Buffer }> {
  const response = await fetch(`${ingest.url}/pixel.gif?${query}`);
  return { response, picture: Buffer.from(await response.arrayBuffer()) };
}

/** Reads a GIF block by block, as a decoder does. Fails unless it is one transparent pixel. */
function expectTransparentPixel(gif: Buffer): void {
  expect(gif.toString('latin1', 0, 6)).toBe('GIF89a');
  expect([gif.readUInt16LE(6), gif.readUInt16LE(8)], 'width and height').toEqual([1, 1]);
  let at = 13 + 3 * 2 ** ((gif[10]! & 7) + 1);
  expect(gif.toString('hex', at, at + 3), 'a graphic control extension').toBe('21f904');
  expect(gif[at + 3]! & 1, 'transparency').toBe(1);
  expect(gif[at + 6], 'the transparent colour').toBe(0);
  at += 8;
  expect(gif[at], 'an image').toBe(0x2c);
  at += 10;
  const codeSize = gif[at]! + 1;
  const length = gif[at + 1]!;
  const bits = [...gif.subarray(at + 2, at + 2 + length)].reduce((all, byte, place) => all | (byte << (8 * place)), 0);
  const codes = [0, 1, 2].map((place) => (bits >> (codeSize * place)) & (2 ** codeSize - 1));
  const clear = 2 ** (codeSize - 1);
  expect(codes, 'clear, colour 0, end').toEqual([clear, 0, clear + 1]);
  expect(gif.toString('hex', at + 2 + length), 'the end of the data and of the file').toBe('003b');
}

it('is a picture, is not cached, and its event is queued', async () => {
  const { response, picture } = await pixel('siteId=docs&visitorId=v-1');
  expect(response.status).toBe(202);
  expect(response.headers.get('content-type')).toBe('image/gif');
  expect(response.headers.get('cache-control')).toBe('no-store');
  expect(response.headers.get('x-sluice-error')).toBeNull();
  expectTransparentPixel(picture);
  expect(await ingest.queued()).toMatchObject([{ tenant: 'docs', event: { siteId: 'docs', visitorId: 'v-1' } }]);
  await ingest.clear();
});

it.each([
  ['siteId=other', 401, 'unauthorized'],
  ['', 401, 'unauthorized'],
  ['siteId=docs&tenant=other', 403, 'tenant_mismatch'],
  ['siteId=docs&timestamp=9999-01-01T00:00:00Z', 422, 'no_valid_events'],
  ['siteId=docs&__proto__=1', 422, 'no_valid_events'],
])('?%s is a picture too, with status %i and the code in a header', async (query, status, code) => {
  const { response, picture } = await pixel(query);
  expect(response.status).toBe(status);
  expect(response.headers.get('x-sluice-error')).toBe(code);
  expectTransparentPixel(picture);
  expect(await ingest.entries()).toEqual([]);
});

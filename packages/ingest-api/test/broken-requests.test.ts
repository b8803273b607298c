import { afterAll, beforeAll, expect, it } from 'vitest';
import { expectError } from '@sluice/testkit/expect-error';
import { get } from '@sluice/testkit/http';
import { startIngest, type TestIngest } from '@sluice/testkit/ingest';
import { makeEvent } from '@sluice/testkit/make-event';
import { sendRaw } from '@sluice/testkit/raw-http';
import { answeredPromptly } from './fixtures/answered-promptly.ts';

let ingest: TestIngest;

beforeAll(async () => {
  ingest = await startIngest();
});
afterAll(() => ingest.stop());

it.each([
  ['a TLS hello', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n'],
  ['no HTTP at all', 'hello?\r\n\r\n'],
  ['an unknown method', 'EVENTS /api/events HTTP/1.1\r\nHost: h\r\n\r\n'],
  ['a header without a colon', 'GET /live HTTP/1.1\r\nHost: h\r\nnonsense\r\n\r\n'],
  ['a line break in a header', 'GET /live HTTP/1.1\r\nHost: h\r\nX-Api-Key: a\nb\r\n\r\n'],
  ['no Host', 'GET /live HTTP/1.1\r\n\r\n'],
  ['a URL that cannot be decoded', 'GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n'],
  ['chunks without a length', 'POST /api/events HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'],
])('%s is answered with 400, and the daemon keeps running', async (_what, bytes) => {
  expectError(await answeredPromptly(() => sendRaw(ingest.url, bytes)), 'invalid_request');
  expect((await get(`${ingest.url}/live`)).body).toEqual({ alive: true });
});

it('headers of more than 16 KiB are answered with 431', async () => {
  const request = `GET /live HTTP/1.1\r\nHost: h\r\n${'X-A: b\r\n'.repeat(4_000)}\r\n`;
  expectError(await answeredPromptly(() => sendRaw(ingest.url, request)), 'headers_too_large');
});

it('an unknown Expect is ignored', async () => {
  const body = JSON.stringify({ events: [makeEvent()] });
  const head = `POST /api/events HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: ${body.length}`;
  expect((await sendRaw(ingest.url, `${head}\r\nExpect: miracles\r\n\r\n${body}`)).status).toBe(202);
});

it.each([
  ['GET', '/api/events', 'POST'],
  ['DELETE', '/api/events', 'POST'],
  ['PROPFIND', '/api/events', 'POST'],
  ['PUT', '/collect', 'GET, POST'],
  ['POST', '/pixel.gif', 'GET'],
  ['POST', '/health', 'GET'],
])('%s %s is answered with 405 and Allow: %s', async (method, path, allow) => {
  const answer = await sendRaw(ingest.url, `${method} ${path}?a=b HTTP/1.1\r\nHost: h\r\n\r\n`);
  expectError(answer, 'method_not_allowed', new RegExp(`${path} takes ${allow}, not ${method}`));
  expect(answer.headers.get('allow')).toBe(allow);
});

it.each(['/', '/api', '/api/events/', '/API/EVENTS', '/constructor', '/__proto__', '//'])(
  '%s is answered with 404',
  async (path) => {
    expectError(await sendRaw(ingest.url, `GET ${path} HTTP/1.1\r\nHost: h\r\n\r\n`), 'not_found');
  },
);

import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectError } from '@sluice/testkit/expect-error';
import { get } from '@sluice/testkit/http';
import { startIngest, type TestIngest } from '@sluice/testkit/ingest';
import { makeEvent } from '@sluice/testkit/make-event';
import { openConnection, sendRaw } from '@sluice/testkit/raw-http';
import { answeredPromptly } from './fixtures/answered-promptly.ts';

let ingest: TestIngest;

beforeAll(async () => {
  ingest = await startIngest();
});
afterAll(() => ingest.stop());

it.each([
  ['a TLS hello', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n'],
  ['no HTTP at all', 'hello?\r\n\r\n'],
  ['an unknown method', 'EVENTS /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n'],
  ['a header without a colon', 'GET /live HTTP/1.1\r\nHost: localhost\r\nnonsense\r\n\r\n'],
  ['a line break in a header', 'GET /live HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: a\nb\r\n\r\n'],
  ['no Host', 'GET /live HTTP/1.1\r\n\r\n'],
  ['a URL that cannot be decoded', 'GET /%zz HTTP/1.1\r\nHost: localhost\r\n\r\n'],
  [
    'chunks without a length',
    'POST /api/events HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
  ],
])('%s is answered with 400, and the daemon keeps running', async (_what, bytes) => {
  expectError(await answeredPromptly(() => sendRaw(ingest.url, bytes)), 'invalid_request');
  expect((await get(`${ingest.url}/live`)).body).toEqual({ alive: true });
});

describe('after a whole request on the same connection', () => {
  const body = JSON.stringify({ events: [makeEvent()] });
  const whole = `POST /api/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const head = 'POST /api/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';

  it.each([
    ['no HTTP', 'GARBAGE\r\n\r\n', 400],
    ['a byte too many', 'x\r\n\r\n', 400],
    ['a TLS hello', '\x16\x03\x01\x02\x00\x01', 400],
    ['headers that are too large', `GET /live HTTP/1.1\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
    ['a request with a broken body', `${head}Transfer-Encoding: chunked\r\n\r\nzz\r\n`, 400],
    ['two lengths', `${head}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`, 400],
  ])('%s has its answer after that of the request', async (_what, broken, status) => {
    for (const requests of [1, 3]) {
      await ingest.clear();
      const answers = await answersTo(whole.repeat(requests) + broken);
      expect(answers).toEqual([...Array<number>(requests).fill(202), status]);
      expect(await ingest.queued()).toHaveLength(requests);
    }
  });

  it('the end of the connection does not take its answer away', async () => {
    expect(await answersTo(`${whole}GARBAGE\r\n\r\n`, true)).toEqual([202, 400]);
  });
});

/** Sends bytes and reads until the server closes the connection: the status of each answer. */
async function answersTo(bytes: string, endAtOnce = false): Promise<number[]> {
  const socket = await openConnection(ingest.url);
  let received = '';
  socket.on('data', (chunk: Buffer) => (received += chunk.toString('latin1')));
  const closed = once(socket, 'close');
  if (endAtOnce) socket.end(bytes, 'latin1');
  else socket.write(bytes, 'latin1');
  await closed;
  return [...received.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status));
}

it('headers of more than 16 KiB are answered with 431', async () => {
  const request = `GET /live HTTP/1.1\r\nHost: localhost\r\n${'X-A: b\r\n'.repeat(4_000)}\r\n`;
  expectError(await answeredPromptly(() => sendRaw(ingest.url, request)), 'headers_too_large');
});

it('an unknown Expect is ignored', async () => {
  const body = JSON.stringify({ events: [makeEvent()] });
  const head = `POST /api/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}`;
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
  const answer = await sendRaw(ingest.url, `${method} ${path}?a=b HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  expectError(answer, 'method_not_allowed', new RegExp(`${path} takes ${allow}, not ${method}`));
  expect(answer.headers.get('allow')).toBe(allow);
});

it.each(['/', '/api', '/api/events/', '/API/EVENTS', '/constructor', '/__proto__', '//'])(
  '%s is answered with 404',
  async (path) => {
    expectError(await sendRaw(ingest.url, `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`), 'not_found');
  },
);

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, expect, it } from 'vitest';
import type { Destination } from '../src/destination.ts';
import { openS3Destination } from '../src/s3-destination.ts';

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

const signal = new AbortController().signal;
const LARGE = Buffer.alloc(6 * 1024 * 1024, 'x');
const PAGE: Answer = {
  status: 200,
  headers: { 'content-type': 'text/html; charset=utf-8' },
  body: '<html>log in</html>',
};

let server: Server | undefined;
let opened: Destination | undefined;
afterEach(() => {
  opened?.close();
  server?.close();
});

/** A destination at a server that gives these answers. */
async function destinationAt(answer: (request: IncomingMessage) => Answer): Promise<Destination> {
  server = createServer((request, response) => {
    request.resume().once('end', () => {
      const { status, headers = {}, body = '' } = answer(request);
      response.writeHead(status, headers).end(body);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  opened = openS3Destination(
    { kind: 's3', bucket: 'client', prefix: '', endpoint, path_style: true },
    { access_key_id: 'key', secret_access_key: 'secret' },
    { allowPrivate: true },
  );
  return opened;
}

const xml = (status: number, text: string): Answer => ({
  status,
  headers: { 'content-type': 'application/xml' },
  body: text,
});
const error = (status: number, code: string): Answer =>
  xml(status, `<?xml version="1.0"?><Error><Code>${code}</Code><Message>no</Message></Error>`);
const write = (to: Destination, bytes: Buffer): Promise<void> => to.write('file', Readable.from([bytes]), signal);

it.each([
  ['a small file', Buffer.from('x')],
  ['a large file, in parts', LARGE],
])('%s is not written when a web page answers with 200', async (_, bytes) => {
  const destination = await destinationAt(() => PAGE);
  await expect(write(destination, bytes)).rejects.toMatchObject({ code: 'rejected', permanent: false });
});

it.each([
  ['without an ETag', { status: 200 }],
  ['with an empty one', { status: 200, headers: { etag: '' } }],
  ['with one of a server of pages', { status: 200, headers: { etag: 'W/"1c-19a"' } }],
  ['of JSON', { status: 200, headers: { 'content-type': 'application/json' }, body: '{"ok":true}' }],
])('an upload that is answered %s has failed', async (_, answer) => {
  const destination = await destinationAt(() => answer);
  await expect(write(destination, Buffer.from('x'))).rejects.toMatchObject({ code: 'rejected' });
});

it('a page in place of the last answer of an upload in parts is noticed', async () => {
  const destination = await destinationAt(({ method, url = '' }) => {
    if (method === 'POST' && url.includes('uploads')) {
      return xml(200, '<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>');
    }
    return method === 'PUT' ? { status: 200, headers: { etag: '"e"' } } : PAGE;
  });
  await expect(write(destination, LARGE)).rejects.toMatchObject({ code: 'rejected' });
});

it('an error that comes with 200 at the end of an upload in parts has failed', async () => {
  const destination = await destinationAt(({ method, url = '' }) => {
    if (method === 'POST' && url.includes('uploads')) {
      return xml(200, '<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>');
    }
    return method === 'PUT' ? { status: 200, headers: { etag: '"e"' } } : error(200, 'InternalError');
  });
  await expect(write(destination, LARGE)).rejects.toMatchObject({ code: 'unreachable' });
});

it.each([
  [400, 'IncompleteBody', 'unreachable'],
  [400, 'BadDigest', 'unreachable'],
  [400, 'XAmzContentSHA256Mismatch', 'unreachable'],
  [400, 'TokenRefreshRequired', 'unreachable'],
  [400, 'RequestTimeout', 'unreachable'],
  [403, 'RequestTimeTooSkewed', 'unreachable'],
  [403, 'ExpiredToken', 'unreachable'],
  [403, 'AccessDenied', 'access_denied'],
  [404, 'NoSuchBucket', 'no_bucket'],
  [403, 'InvalidAccessKeyId', 'bad_credentials'],
  [418, 'Teapot', 'rejected'],
])('%i %s is %s, as the SDK reads it', async (status, code, problem) => {
  const destination = await destinationAt(() => error(status, code));
  await expect(write(destination, Buffer.from('x'))).rejects.toMatchObject({ code: problem });
});

it.each([
  ['a server that speaks no TLS', 'HTTP/1.1 400 Bad Request\r\n\r\n', 'bad_destination'],
  ['a TLS alert of an internal error', Buffer.from([21, 3, 3, 0, 2, 2, 80]), 'unreachable'],
  ['a TLS alert of no common version', Buffer.from([21, 3, 3, 0, 2, 2, 70]), 'bad_destination'],
  ['a TLS alert of no common cipher', Buffer.from([21, 3, 3, 0, 2, 2, 40]), 'bad_destination'],
  ['a connection that is closed', '', 'unreachable'],
])('%s at an https endpoint', async (_, answer, problem) => {
  const tcp = createTcpServer((socket) => {
    socket.on('error', () => {}).once('data', () => socket.end(answer));
  }).listen(0, '127.0.0.1');
  await once(tcp, 'listening');
  opened = openS3Destination(
    {
      kind: 's3',
      bucket: 'client',
      prefix: '',
      endpoint: `https://127.0.0.1:${(tcp.address() as AddressInfo).port}`,
      path_style: true,
    },
    { access_key_id: 'key', secret_access_key: 'secret' },
    { allowPrivate: true },
  );
  await expect(write(opened, Buffer.from('x'))).rejects.toMatchObject({ code: problem });
  tcp.close();
});

it('a refusal because of the time says what the clock of the server says', async () => {
  const destination = await destinationAt(() =>
    xml(
      403,
      '<Error><Code>RequestTimeTooSkewed</Code><Message>no</Message><ServerTime>2026-11-30T07:00:00Z</ServerTime></Error>',
    ),
  );
  await expect(write(destination, Buffer.from('x'))).rejects.toThrow(
    /this machine's clock says .*, the server's 2026-11-30T07:00:00Z/,
  );
});

it('a file that is a web page can be read', async () => {
  const destination = await destinationAt(() => PAGE);
  expect((await buffer(await destination.read('index.html', signal))).toString()).toBe('<html>log in</html>');
});

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { startHealthServer } from '../../../src/http/health-server.ts';
import { serverOptions } from '../../../src/http/server-options.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';

const GARBAGE = 'GARBAGE\r\n\r\n';
const HELD = 'GET /held HTTP/1.1\r\nHost: h\r\n\r\n';

let server: FastifyInstance;
let url: string;
/** Lets the requests to `/held` be answered. */
let release: () => void;
const onUnrouted = vi.fn<(code: string) => void>();

beforeEach(async () => {
  onUnrouted.mockReset();
  const { promise, resolve } = Promise.withResolvers<void>();
  release = resolve;
  server = Fastify(serverOptions(1_000, onUnrouted));
  server.get('/held', async () => {
    await promise;
    return 'held';
  });
  server.post('/posted', () => 'posted');
  url = await server.listen({ host: '127.0.0.1', port: 0 });
});
afterEach(() => server.close());

/** A connection that has sent these bytes; `statuses` resolves when the server closes it. */
function client(of: string, bytes: string): { statuses: Promise<number[]>; received: () => string; end: () => void } {
  const { hostname, port } = new URL(of);
  const socket = connect(Number(port), hostname);
  let received = '';
  socket.on('data', (chunk: Buffer) => (received += chunk.toString('latin1')));
  socket.on('error', () => {});
  socket.write(bytes, 'latin1');
  return {
    statuses: once(socket, 'close').then(() =>
      [...received.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status)),
    ),
    received: () => received,
    end: () => socket.end(),
  };
}

it('a broken request waits for the answers before it', async () => {
  const broken = once(server.server, 'clientError');
  const { statuses, received } = client(url, HELD + HELD + GARBAGE);
  await broken;
  expect(received()).toBe('');
  expect(onUnrouted).not.toHaveBeenCalled();
  release();
  expect(await statuses).toEqual([200, 200, 400]);
  expect(onUnrouted.mock.calls).toEqual([['invalid_request']]);
});

it('a client that hangs up after it still gets both, and it counts once', async () => {
  const broken = once(server.server, 'clientError');
  const { statuses, end } = client(url, HELD + GARBAGE);
  const [, socket] = (await broken) as [Error, Socket];
  const ended = once(socket, 'end');
  end();
  await ended;
  release();
  expect(await statuses).toEqual([200, 400]);
  expect(onUnrouted).toHaveBeenCalledTimes(1);
});

it('headers that take too long wait too', async () => {
  const late = once(server.server, 'clientError');
  const { statuses } = client(url, `${HELD}GET /nothing HTTP/1.1\r\nHost:`);
  await late;
  expect(onUnrouted).not.toHaveBeenCalled();
  release();
  expect(await statuses).toEqual([200, 408]);
});

it('a request whose own body is broken is answered at once', async () => {
  const broken =
    'POST /posted HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n';
  expect(await client(url, broken).statuses).toEqual([400]);
  expect(onUnrouted.mock.calls).toEqual([['invalid_request']]);
});

it('the server of a daemon without an API does the same', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const run = vi.fn(() => promise.then(() => ({ ok: true })));
  const check = { name: 'held', critical: true, run };
  const health = await startHealthServer({
    host: '127.0.0.1',
    port: 0,
    registry: createMetrics('test'),
    checks: [check],
  });
  const { statuses } = client(health.url, `GET /health HTTP/1.1\r\nHost: h\r\n\r\n${GARBAGE}`);
  await vi.waitFor(() => expect(run).toHaveBeenCalled());
  resolve();
  expect(await statuses).toEqual([200, 400]);
  await health.stop();
});

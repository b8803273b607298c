import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, expect, it, vi } from 'vitest';
import { runLoad, startLoad } from '../src/load/start-load.ts';

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** A server that records what it received; `answer` decides the answer to the n-th request, from 1. */
async function startServer(answer: (request: number) => { status: number; headers?: Record<string, string> }) {
  const bodies: string[] = [];
  const listener: RequestListener = (request, response) => {
    void text(request).then((body) => {
      const { status, headers = {} } = answer(bodies.push(body));
      response.writeHead(status, { ...headers, 'content-length': 2 }).end('{}');
    });
  };
  const server = createServer(listener);
  let opened = 0;
  server.on('connection', () => (opened += 1));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/events`,
    bodies,
    connections: () => opened,
  };
}

const ORDER = { connections: 3, batch: 10, events: 500, seconds: null };
const { signal } = new AbortController();

function idsOf(bodies: readonly string[]): string[] {
  return bodies.flatMap((body) =>
    (JSON.parse(body) as { events: { eventId: string }[] }).events.map(({ eventId }) => eventId),
  );
}

it('sends exactly the requested number of events, each with its own id', async () => {
  const { url, bodies } = await startServer(() => ({ status: 202 }));
  const result = await runLoad({ ...ORDER, url }, signal);
  expect(result).toMatchObject({ acked: 500, requests: 50, refused: 0 });
  expect(new Set(idsOf(bodies)).size).toBe(500);
  expect(result.p99).toBeGreaterThanOrEqual(result.p50);
});

it('ends with the time when that comes first', async () => {
  const { url, bodies } = await startServer(() => ({ status: 202 }));
  const { acked, elapsedMs } = await runLoad({ ...ORDER, url, events: 100_000_000, seconds: 0.1 }, signal);
  expect(acked).toBe(bodies.length * 10);
  expect(elapsedMs).toBeGreaterThanOrEqual(100);
});

it('sends a batch again, with the same ids, after a Retry-After', async () => {
  const { url, bodies } = await startServer((request) =>
    request === 5 ? { status: 503, headers: { 'retry-after': '0' } } : { status: 202 },
  );
  expect(await runLoad({ ...ORDER, url }, signal)).toMatchObject({ acked: 500, requests: 50, refused: 1 });
  expect(bodies).toHaveLength(51);
  expect(new Set(idsOf(bodies)).size).toBe(500);
});

it('fails on any other answer', async () => {
  const { url } = await startServer((request) => ({ status: request === 5 ? 500 : 202 }));
  await expect(runLoad({ ...ORDER, url }, signal)).rejects.toThrow(`${url} answered 500: {}`);
});

it('sends nothing while it is held', async () => {
  const { url, bodies, connections } = await startServer(() => ({ status: 202 }));
  const load = await startLoad({ ...ORDER, url }, signal);
  load.hold(true);
  const result = load.go();
  await vi.waitFor(() => expect(connections()).toBe(3), { timeout: 180_000, interval: 20 });
  // It would have sent something by now: each of these is a round trip.
  for (let probe = 1; probe <= 50; probe += 1) await fetch(url);
  expect(new Set(bodies)).toEqual(new Set(['']));
  load.hold(false);
  expect(await result).toMatchObject({ acked: 500 });
});

it('ends when it is no longer wanted', async () => {
  const { url } = await startServer(() => ({ status: 202 }));
  const stopped = new AbortController();
  const load = await startLoad({ ...ORDER, url, events: 100_000_000 }, stopped.signal);
  const result = load.go();
  stopped.abort();
  await expect(result).rejects.toThrow('the load generator ended early');
});

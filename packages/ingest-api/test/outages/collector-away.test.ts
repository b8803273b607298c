import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { expect, it, vi } from 'vitest';
import { freePort } from '@sluice/local-stack/free-port';
import { get } from '@sluice/testkit/http';
import { startIngest, type TestIngest } from '@sluice/testkit/ingest';
import { makeEvents } from '@sluice/testkit/make-event';

/** Spans that may wait for the collector. */
const MAX_WAITING = 16;
const REQUESTS = 50;
/** The span of the request, and that of sending its batch. */
const SPANS_OF_REQUEST = 2;

/** Accepts connections, reads everything, and never answers. */
async function startSilentCollector(): Promise<{ url: string; heard(): number; stop(): void }> {
  const sockets = new Set<Socket>();
  let bytes = 0;
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', (chunk) => (bytes += chunk.length));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    heard: () => bytes,
    stop() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

async function dropped(ingest: TestIngest): Promise<{ queueFull: number; exportFailed: number }> {
  const { body } = await get(`${ingest.url}/metrics`);
  const of = (reason: string): number =>
    Number(new RegExp(`^sluice_spans_dropped_total\\{reason="${reason}"\\} (\\d+)$`, 'm').exec(body as string)?.[1]);
  return { queueFull: of('queue_full'), exportFailed: of('export_failed') };
}

/** Concurrent, because the exporter's own time-outs of some seconds are most of each test. */
it.concurrent.each(['no server listens', 'a server listens and never answers'])(
  'where %s at the collector, clients notice nothing, and all spans are dropped and counted',
  async (where) => {
    const collector = where === 'nobody listens' ? null : await startSilentCollector();
    const ingest = await startIngest({
      OTEL_EXPORTER_OTLP_ENDPOINT: collector?.url ?? `http://127.0.0.1:${await freePort()}`,
      OTEL_BSP_MAX_QUEUE_SIZE: String(MAX_WAITING),
      OTEL_BSP_SCHEDULE_DELAY: '10',
    });
    for (let sent = 0; sent < REQUESTS; sent += 10) {
      const answers = await Promise.all(Array.from({ length: 10 }, () => ingest.send({ events: makeEvents(2) })));
      for (const { status, body } of answers) expect([status, body.accepted]).toEqual([202, 2]);
    }
    expect(await ingest.entries()).toHaveLength(REQUESTS);
    expect((await get(`${ingest.url}/ready`)).status).toBe(200);
    if (collector !== null)
      await vi.waitFor(() => expect(collector.heard()).toBeGreaterThan(0), { timeout: 180_000, interval: 20 });

    // Spans beyond the queue's room are counted at once, those that the exporter gives up later. None is missing then.
    await vi.waitFor(
      async () => {
        const { queueFull, exportFailed } = await dropped(ingest);
        expect(queueFull).toBeGreaterThanOrEqual(REQUESTS);
        expect(exportFailed).toBeGreaterThan(0);
        expect(queueFull + exportFailed).toBe(REQUESTS * SPANS_OF_REQUEST);
      },
      { interval: 20, timeout: 180_000 },
    );
    expect((await get(`${ingest.url}/metrics`)).body).toMatch(/^sluice_spans_exported_total 0$/m);

    // The ordered stop does not wait for spans that are still queued.
    await ingest.send({ events: makeEvents(1) });
    await ingest.stop();
    expect(await ingest.daemon.exited).toMatchObject({ code: 0, signal: null });
    collector?.stop();
  },
);

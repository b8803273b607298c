import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { decodeSpans, type ReceivedSpan } from './otlp-messages.ts';

/** A collector that holds spans in memory: for tests, and to show a trace where there is no Jaeger. */
export interface OtlpReceiver {
  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly endpoint: string;
  /** All that arrived so far. */
  readonly spans: readonly ReceivedSpan[];
  /** Resolves as soon as `enough` is true of all that arrived so far. */
  until(enough: (spans: readonly ReceivedSpan[]) => boolean, what: string, options?: UntilOptions): Promise<void>;
  stop(): Promise<void>;
}

/** How long to wait. */
export interface UntilOptions {
  /** Half a minute if not given; then it rejects and names what arrived instead. */
  readonly limitMs?: number;
  /** Ends the wait without an error. */
  readonly signal?: AbortSignal;
}

/** At most this many spans are held; later ones are dropped. */
const MAX_SPANS = 200_000;

/**
 * Listens for OTLP over HTTP (protobuf) on a free port of this machine.
 *
 * @param options.forwardTo another collector that gets all of it too; its answers are ignored
 */
export async function startOtlpReceiver(options: { forwardTo?: string | undefined } = {}): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const waiting = new Set<() => void>();
  const server = createServer((request, response) => {
    void (async () => {
      try {
        const raw = await buffer(request);
        if (options.forwardTo !== undefined) await forward(`${options.forwardTo}${request.url}`, request, raw);
        const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw;
        if (spans.length < MAX_SPANS) spans.push(...decodeSpans(body));
        response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
        for (const look of waiting) look();
      } catch (error) {
        response.writeHead(400).end(String(error));
      }
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    spans,
    async until(enough, what, { limitMs = 30_000, signal } = {}) {
      if (enough(spans) || signal?.aborted === true) return;
      await new Promise<void>((resolve, reject) => {
        const stop = (): void => {
          clearTimeout(timer);
          waiting.delete(look);
          signal?.removeEventListener('abort', giveUp);
        };
        const giveUp = (): void => {
          stop();
          resolve();
        };
        const look = (): void => {
          if (!enough(spans)) return;
          stop();
          resolve();
        };
        const timer = setTimeout(() => {
          stop();
          const names = [...new Set(spans.map((span) => `${span.service}: ${span.name}`))].toSorted();
          reject(new Error(`${what} did not come in ${limitMs / 1000} s; seen:\n${names.join('\n')}`));
        }, limitMs);
        waiting.add(look);
        signal?.addEventListener('abort', giveUp);
      });
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function forward(url: string, request: IncomingMessage, body: Buffer): Promise<void> {
  const { 'content-type': type, 'content-encoding': encoding } = request.headers;
  const headers = {
    ...(type === undefined ? {} : { 'content-type': type }),
    ...(encoding === undefined ? {} : { 'content-encoding': encoding }),
  };
  await fetch(url, { method: 'POST', headers, body }).catch(() => {});
}

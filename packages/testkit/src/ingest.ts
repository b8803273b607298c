import { Redis } from 'ioredis';
import { inject, vi } from 'vitest';
import { keySetKey, keyUsesKey } from '@sluice/access/key-projection';
import { adapterBySource } from '@sluice/events/adapters/registry';
import { decodeEntry, type EntryHeader } from '@sluice/stream/stream-entry';
import { streamKey } from '@sluice/stream/stream-keys';
import { type Answer, post } from './http.ts';
import { startTestDaemon, type TestDaemon } from './test-daemon.ts';
import { testNamespace } from './test-namespace.ts';

/** A stream entry as a writer would read it. */
interface StreamEntry {
  readonly header: EntryHeader;
  /** The body's JSON text. */
  readonly body: string;
}

/** An accepted event, found in the stream. */
interface QueuedEvent {
  readonly tenant: string;
  readonly batchId: string;
  /** Position in the client's batch. */
  readonly index: number;
  readonly event: Record<string, unknown>;
}

/** An ingest API with its own stream, and no writer. */
export interface TestIngest {
  readonly url: string;
  readonly daemon: TestDaemon;
  readonly redis: Redis;
  readonly namespace: string;
  /** Key of shard 0. */
  readonly stream: string;
  /** `POST /api/events`; a string or bytes are sent as they are. */
  send(body: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** `POST /collect`. */
  collect(body: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** Every entry of the stream. */
  entries(): Promise<StreamEntry[]>;
  /** The accepted events of all entries, in order. */
  queued(): Promise<QueuedEvent[]>;
  /** Waits for a line of the log whose text matches. */
  logged(line: RegExp): Promise<Record<string, unknown>>;
  /** Deletes every entry of the stream. */
  clear(): Promise<void>;
  stop(): Promise<void>;
}

/** @param options.redisUrl another Redis than the one that all test files share */
export async function startIngest(
  env: Record<string, string> = {},
  options: { redisUrl?: string; entry?: string } = {},
): Promise<TestIngest> {
  const redisUrl = options.redisUrl ?? inject('redisUrl');
  const namespace = testNamespace();
  const stream = streamKey(namespace, 0);
  const redis = new Redis(redisUrl, { replyMapping: 'legacy', retryStrategy: () => 50, enableReadyCheck: false });
  redis.on('error', () => {});
  const daemon = await startTestDaemon(
    'ingest-api',
    { REDIS_URL: redisUrl, SLUICE_NAMESPACE: namespace, ...env },
    options.entry,
  );
  const entries = async (): Promise<StreamEntry[]> =>
    (await redis.xrangeBuffer(stream, '-', '+')).map(([, fields]) => decodeEntry(fields));
  return {
    url: daemon.url,
    daemon,
    redis,
    namespace,
    stream,
    send: (body, headers) => post(`${daemon.url}/api/events`, body, headers),
    collect: (body, headers) => post(`${daemon.url}/collect`, body, headers),
    entries,
    queued: async () => (await entries()).flatMap(eventsOf),
    logged: (line) =>
      vi.waitFor(
        () => {
          const found = daemon.log().find((each) => line.test(JSON.stringify(each)));
          if (found === undefined) throw new Error(`the log has no line like ${line}:\n${daemon.output()}`);
          return found;
        },
        { interval: 10, timeout: 180_000 },
      ),
    async clear() {
      await redis.del(stream);
    },
    async stop() {
      await daemon.stop();
      if (options.redisUrl === undefined) await redis.del(stream, keySetKey(namespace), keyUsesKey(namespace));
      redis.disconnect();
    },
  };
}

function eventsOf({ header, body }: StreamEntry): QueuedEvent[] {
  const events = adapterBySource(header.source)?.eventsOf(JSON.parse(body)) as Record<string, unknown>[];
  return events
    .map((event, place) => ({
      tenant: header.tenant,
      batchId: header.batchId,
      index: header.firstIndex + place,
      event,
    }))
    .filter((_, place) => !header.rejected.includes(place));
}

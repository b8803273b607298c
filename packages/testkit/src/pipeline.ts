import { Redis } from 'ioredis';
import { inject, vi } from 'vitest';
import { startTestDaemon, type TestDaemon } from './test-daemon.ts';
import { createTestDatabase, type TestDatabase } from './test-database.ts';
import { testNamespace } from './test-namespace.ts';

/** Ingest and writers with a database and a stream for one test file. */
export interface Pipeline {
  readonly database: TestDatabase;
  readonly redis: Redis;
  readonly namespace: string;
  /** Key of shard 0. */
  readonly stream: string;
  /** @throws when the pipeline was started without it */
  readonly ingest: TestDaemon;
  /** Starts one more writer; it is stopped with the pipeline. */
  startWriter(name: string, env?: Record<string, string>): Promise<TestDaemon>;
  /** Waits until no stream of the namespace holds an entry. */
  drained(): Promise<void>;
  /** Waits until the table holds `count` events. */
  stored(count: number): Promise<void>;
  stop(): Promise<void>;
}

/** The servers of a pipeline, when not those that all test files share. */
export interface PipelineOptions {
  /** False for tests that put entries on the stream themselves: a start takes a second of processor time. */
  readonly ingest?: boolean;
  readonly redisUrl?: string;
  readonly databaseUrl?: string;
  readonly env?: Record<string, string>;
}

/** How long a test waits for what must happen: for a machine that hangs, not a slow one. */
const PATIENCE = { timeout: 180_000, interval: 20 };

/** Starts ingest unless it is not wanted, and no writer yet. */
export async function startPipeline(options: PipelineOptions = {}): Promise<Pipeline> {
  const database = await createTestDatabase();
  const redisUrl = options.redisUrl ?? inject('redisUrl');
  const namespace = testNamespace();
  const redis = new Redis(redisUrl, { replyMapping: 'legacy' });
  redis.on('error', () => {});
  const env = { REDIS_URL: redisUrl, SLUICE_NAMESPACE: namespace, ...options.env };
  const ingest = options.ingest === false ? null : await startTestDaemon('ingest-api', env);
  const daemons: TestDaemon[] = ingest === null ? [] : [ingest];
  const lengths = async (): Promise<number> => {
    const keys = await redis.keys(`${namespace}:{events:*}`);
    const all = await Promise.all(keys.map((key) => redis.xlen(key)));
    return all.reduce((sum, length) => sum + length, 0);
  };
  const countEvents = async (): Promise<number> => {
    const [row] = await database.query<{ count: string }>('SELECT count(*) FROM events');
    return Number(row?.count);
  };
  return {
    database,
    redis,
    namespace,
    stream: `${namespace}:{events:0}`,
    get ingest() {
      if (ingest === null) throw new Error('this pipeline was started without ingest');
      return ingest;
    },
    async startWriter(name, more = {}) {
      const databaseUrl = options.databaseUrl ?? database.url;
      const writer = await startTestDaemon('writer-worker', {
        ...env,
        DATABASE_URL: databaseUrl,
        WRITER_NAME: name,
        ...more,
      });
      daemons.push(writer);
      return writer;
    },
    drained: () =>
      vi.waitFor(async () => {
        const left = await lengths();
        if (left > 0) throw new Error(`${left} entries are left in the stream`);
      }, PATIENCE),
    stored: (count) =>
      vi.waitFor(async () => {
        const found = await countEvents();
        if (found < count) throw new Error(`${found} of ${count} events are stored`);
      }, PATIENCE),
    async stop() {
      await Promise.all(daemons.map((daemon) => daemon.stop()));
      const keys = await redis.keys(`${namespace}:*`);
      if (keys.length > 0) await redis.del(keys);
      redis.disconnect();
      await database.drop();
    },
  };
}

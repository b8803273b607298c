import Fastify, { type FastifyInstance } from 'fastify';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { addHealthRoutes } from '@sluice/daemon/http/health';
import type { Logger } from '@sluice/daemon/log/logger';
import { createMetrics } from '@sluice/daemon/telemetry/metrics';
import { openDatabase, type Database } from '@sluice/store/database';
import { KnownIds } from '@sluice/store/write/known-ids';
import { type Answer, get } from '@sluice/testkit/http';
import { makeEvents } from '@sluice/testkit/make-event';
import { ownRedis } from '@sluice/testkit/own-servers';
import { type Pipeline, startPipeline } from '@sluice/testkit/pipeline';
import { startTcpProxy, type TcpProxy } from '@sluice/testkit/tcp-proxy';
import { BatchBuffer } from '../../src/batch/batch-buffer.ts';
import { Breaker } from '../../src/batch/breaker.ts';
import { processBatch } from '../../src/batch/process-batch.ts';
import { consume } from '../../src/fetch/consumer.ts';
import { BatchObserver } from '../../src/watch/batch-observer.ts';
import { liveCheck } from '../../src/watch/live-check.ts';
import { Progress } from '../../src/watch/progress.ts';
import { createWriterMetrics } from '../../src/watch/writer-metrics.ts';
import { newWriterState } from '../../src/watch/writer-state.ts';
import { enqueue } from '../fixtures/enqueue.ts';
import { readMetrics } from '../fixtures/read-metrics.ts';

const PATIENCE = { timeout: 180_000, interval: 20 };

const silent = (): void => {};
const live = async (url: string): Promise<number> => (await get(`${url}/live`)).status;
const ready = async (url: string): Promise<number> => (await get(`${url}/ready`)).status;

/** Waits for `count` signs of life: the time since the last one is shorter than it was. */
async function expectSigns(url: string, count: number): Promise<void> {
  let [last, seen] = [0, 0];
  await expect
    .poll(async () => {
      const idle = (await readMetrics(url)).get('sluice_writer_idle_seconds')!;
      if (idle < last) seen += 1;
      last = idle;
      return seen;
    }, PATIENCE)
    .toBeGreaterThanOrEqual(count);
}

describe('/live does not ask for a restart, because the writer keeps trying,', () => {
  it('while there is nothing to do', async () => {
    const pipeline = await startPipeline({ ingest: false });
    const { url } = await pipeline.startWriter('writer-1', { RECLAIM_IDLE_MS: '1000' });
    await expect.poll(() => ready(url), PATIENCE).toBe(200);
    await expectSigns(url, 3);
    expect(await get(`${url}/live`)).toMatchObject({ status: 200, body: { alive: true } });
    await pipeline.stop();
  });

  it('while Postgres is away', async () => {
    const pipeline = await startPipeline({ ingest: false });
    const proxy = await startTcpProxy(Number(new URL(pipeline.database.url).port));
    const { url } = await pipeline.startWriter('writer-1', { DATABASE_URL: proxy.through(pipeline.database.url) });
    await expect.poll(() => ready(url), PATIENCE).toBe(200);
    await proxy.close();
    await enqueue(pipeline, makeEvents(3));
    const open = async () => (await readMetrics(url)).get('sluice_writer_breaker_open');
    await expect.poll(open, PATIENCE).toBe(1);
    await expectSigns(url, 2);
    expect([await live(url), await ready(url), await open()]).toEqual([200, 503, 1]);
    await pipeline.stop();
  });

  it('while Redis is away', async () => {
    const redis = await ownRedis();
    const pipeline = await startPipeline({ ingest: false, redisUrl: redis.url });
    const { url } = await pipeline.startWriter('writer-1');
    await expect.poll(() => ready(url), PATIENCE).toBe(200);
    await redis.stop();
    await expect.poll(() => ready(url), PATIENCE).toBe(503);
    await expectSigns(url, 3);
    expect([await live(url), await ready(url)]).toEqual([200, 503]);
    await redis.start();
    await pipeline.stop();
    await redis.remove();
  });

  it('while it is stalled', async () => {
    const pipeline = await startPipeline({ ingest: false });
    const { url } = await pipeline.startWriter('writer-1');
    await expect.poll(() => ready(url), PATIENCE).toBe(200);
    await pipeline.database.query('ALTER TABLE events RENAME TO events_away');
    await enqueue(pipeline, makeEvents(3));
    const stalled = async () => (await readMetrics(url)).get('sluice_writer_stalled');
    await expect.poll(stalled, PATIENCE).toBe(1);
    await expectSigns(url, 2);
    expect([await live(url), await ready(url), await stalled()]).toEqual([200, 503, 1]);
    await pipeline.stop();
  });
});

/**
 * The consumer in this process, with a patience of three seconds, and without what otherwise ends a connection or a
 * statement that is silent for too long: what is left to `/live` is what gets past those.
 */
describe('/live asks for a restart when the consumer is wedged:', () => {
  let pipeline: Pipeline;
  let proxy: TcpProxy;
  let opened: Database;
  let server: FastifyInstance;
  let url: string;
  let stop: () => Promise<void>;

  beforeEach(async () => {
    pipeline = await startPipeline({ ingest: false });
    proxy = await startTcpProxy(Number(new URL(inject('redisUrl')).port));
    opened = openDatabase({
      url: pipeline.database.url,
      poolSize: 3,
      statementTimeoutMs: 600_000,
      applicationName: 'test',
    });
    const [stopFetching, stopWorking] = [new AbortController(), new AbortController()];
    const progress = new Progress();
    const state = { ...newWriterState(), databaseReady: true };
    const breaker = new Breaker(stopWorking.signal);
    const limits = { maxEvents: 500, maxBytes: 4_000_000, lingerMs: 1 };
    const buffer = new BatchBuffer(limits);
    const known = new KnownIds(opened);
    const metrics = createWriterMetrics(createMetrics('test'), { state, breaker, buffer, progress, known });
    const logger = { debug: silent, info: silent, warn: silent, error: silent } as unknown as Logger;
    const context = { database: opened, redis: pipeline.redis, logger, state, metrics, progress, breaker };
    const observer = new BatchObserver(context);
    const consuming = consume({
      ...context,
      openBlocking() {
        const redis = new Redis(proxy.through(inject('redisUrl')), { replyMapping: 'legacy', maxRetriesPerRequest: 0 });
        redis.on('error', silent);
        return redis;
      },
      buffer,
      limits,
      namespace: pipeline.namespace,
      shards: 1,
      consumer: 'writer-1',
      concurrency: 2,
      // A read waits for half of this, and then comes back empty.
      reclaimIdleMs: 200,
      deliveryLimit: 5,
      isShut: () => state.stalled !== null || breaker.isOpen,
      stopFetching: stopFetching.signal,
      process: (batch, stored) =>
        processBatch(
          batch,
          {
            ...context,
            known,
            observer,
            consumer: 'writer-1',
            stopFetching: stopFetching.signal,
            stopWorking: stopWorking.signal,
          },
          stored,
        ),
      runAlone: () => Promise.reject(new Error('nothing is suspected here')),
    });
    server = Fastify();
    const options = { state, progress, buffer, timeoutMs: 3_000, stopFetching: stopFetching.signal };
    addHealthRoutes(server, [], { live: () => liveCheck(options) });
    url = await server.listen({ host: '127.0.0.1', port: 0 });
    stop = async () => {
      stopFetching.abort();
      stopWorking.abort();
      await consuming;
    };
    // It lives as long as it reads and stores.
    await enqueue(pipeline, makeEvents(3));
    await pipeline.drained();
    const signs = progress.signs;
    await expect.poll(() => progress.signs, PATIENCE).toBeGreaterThan(signs + 3);
    expect(await live(url)).toBe(200);
  });
  afterEach(async () => {
    await stop();
    await server.close();
    await opened.close();
    await proxy.close();
    await pipeline.stop();
  });

  const wedged = (): Promise<Answer> =>
    expect
      .poll(() => get(`${url}/live`), PATIENCE)
      .toMatchObject({ status: 503 })
      .then(() => get(`${url}/live`));

  it('its reader waits on a connection whose other end is gone', async () => {
    expect(proxy.loseConnections()).toBe(1);
    await enqueue(pipeline, makeEvents(3));
    const { body } = await wedged();
    expect(body).toMatchObject({
      alive: false,
      doing: 'read',
      stream: pipeline.stream,
      transactions_in_flight: 0,
      buffered_events: 0,
    });
    expect(body.idle_seconds).toBeGreaterThanOrEqual(3);
    expect(Date.now() - Date.parse(body.wedged_since as string)).toBeGreaterThanOrEqual(3_000);
  });

  it('a transaction does not end, though everything else continues', async () => {
    const blocker = await pipeline.database.connect();
    await blocker.query('BEGIN; LOCK TABLE events IN ACCESS EXCLUSIVE MODE');
    const id = await enqueue(pipeline, makeEvents(3));
    const { body } = await wedged();
    expect(body).toMatchObject({
      alive: false,
      doing: 'write events',
      entries: 1,
      events: 3,
      entry_ids: [id],
      transactions_in_flight: 1,
    });
    await blocker.query('COMMIT');
    await blocker.end();
    await expect.poll(() => live(url), PATIENCE).toBe(200);
    await pipeline.stored(6);
  });
});

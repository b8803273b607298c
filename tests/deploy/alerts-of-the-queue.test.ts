import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { settledKey } from '@sluice/stream/conservation';
import { streamKey } from '@sluice/stream/stream-keys';
import { post } from '@sluice/testkit/http';
import { makeEvents } from '@sluice/testkit/make-event';
import { needsProgram } from '@sluice/testkit/needs';
import { ownRedis, type OwnServer } from '@sluice/testkit/own-servers';
import { type Pipeline, startPipeline } from '@sluice/testkit/pipeline';
import { startTestDaemon, type TestDaemon } from '@sluice/testkit/test-daemon';
import { startPrometheus, type TestPrometheus } from '../setup/prometheus.ts';

describe.skipIf(inject('programs').prometheus === null)('alerts of the queue', needsProgram('prometheus'), () => {
  // A test takes its memory away, so no other test may use it.
  let server: OwnServer;
  let pipeline: Pipeline;
  let queries: TestDaemon[];
  let writer: TestDaemon;
  let prometheus: TestPrometheus;

  beforeAll(async () => {
    server = await ownRedis();
    pipeline = await startPipeline({ redisUrl: server.url });
    const env = { REDIS_URL: server.url, SLUICE_NAMESPACE: pipeline.namespace, DATABASE_URL: pipeline.database.url };
    // Two query APIs, as a deployment may have: what both report is reported once.
    queries = await Promise.all([startTestDaemon('query-api', env), startTestDaemon('query-api', env)]);
    prometheus = await startPrometheus({ 'query-api': queries.map(({ url }) => url) });
    await prometheus.answered('sluice_queue_entries >= 0');
  });
  afterAll(async () => {
    await prometheus.stop();
    await Promise.all(queries.map((query) => query.stop()));
    await pipeline.stop();
    await server.remove();
  });

  const send = (count: number) => post(`${pipeline.ingest.url}/api/events`, { events: makeEvents(count) });
  const expectSilent = async (name: string): Promise<void> => expect(await prometheus.alerts(name)).toEqual([]);

  it('SluiceNoProgress: a lock on a table keeps the writer from committing', async () => {
    await expectSilent('SluiceNoProgress');
    const holder = await pipeline.database.connect();
    await holder.query('BEGIN; LOCK TABLE events IN ACCESS EXCLUSIVE MODE');
    writer = await pipeline.startWriter('writer-1');
    await send(3);
    const alert = await prometheus.firing('SluiceNoProgress');
    expect(alert.annotations['summary']).toBe('1 entries wait, and none was committed for five minutes');
    await holder.query('COMMIT');
    await holder.end();
    await pipeline.stored(3);
    await pipeline.drained();
  });

  it('SluiceEntriesDrift: an entry is deleted by hand', async () => {
    await expectSilent('SluiceEntriesDrift');
    // In one step, or the writer would take it first.
    await pipeline.redis.eval(
      `local id = redis.call('XADD', KEYS[1], '*', 'v', '1') redis.call('XDEL', KEYS[1], id)`,
      1,
      pipeline.stream,
    );
    const alert = await prometheus.firing('SluiceEntriesDrift', { shard: '0' });
    expect(alert.annotations['summary']).toBe('1 entries of shard 0 are unaccounted for');
  });

  it('SluiceEventsDrift: an event is counted as settled and as nothing else', async () => {
    await expectSilent('SluiceEventsDrift');
    await pipeline.redis.hincrby(settledKey(pipeline.stream), 'events', 1);
    const alert = await prometheus.firing('SluiceEventsDrift', { shard: '0' });
    expect(alert.annotations['summary']).toBe('1 events of shard 0 are unaccounted for');
  });

  it('SluiceBacklogOld and SluiceBacklogNearLimit: an entry is two hours old', async () => {
    await expectSilent('SluiceBacklogOld');
    await expectSilent('SluiceBacklogNearLimit');
    await writer.stop();
    // A shard of its own: the ids of the other one are newer than this.
    const twoHoursAgo = `${Date.now() - 7_200_000}-0`;
    await pipeline.redis.xadd(streamKey(pipeline.namespace, 1), twoHoursAgo, 'v', '1');
    const alert = await prometheus.firing('SluiceBacklogOld', { shard: '1' });
    expect(alert.annotations['summary']).toMatch(/^The oldest event of shard 1 has waited 2h 0m/);
    await prometheus.firing('SluiceBacklogNearLimit', { shard: '1' });
  });

  it('SluiceRedisMemory: Redis has little memory left', async () => {
    await expectSilent('SluiceRedisMemory');
    const admin = new Redis(server.url, { replyMapping: 'legacy' });
    const used = Number(/^used_memory:(\d+)/m.exec(await admin.info('memory'))![1]);
    await admin.config('SET', 'maxmemory', String(Math.round(used / 0.75)));
    await prometheus.firing('SluiceRedisMemory');
    admin.disconnect();
  });

  it('each was reported once, though two query APIs export it', async () => {
    for (const name of ['SluiceEntriesDrift', 'SluiceEventsDrift', 'SluiceRedisMemory'])
      expect(await prometheus.alerts(name), name).toHaveLength(1);
  });
});

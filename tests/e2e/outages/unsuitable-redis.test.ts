import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { get, post } from '@sluice/testkit/http';
import { makeEvent } from '@sluice/testkit/make-event';
import { type OwnServer, ownRedis } from '@sluice/testkit/own-servers';
import { startTestDaemon, type TestDaemon } from '@sluice/testkit/test-daemon';
import { createTestDatabase, type TestDatabase } from '@sluice/testkit/test-database';
import { testNamespace } from '@sluice/testkit/test-namespace';

const PATIENCE = { timeout: 180_000, interval: 100 };

describe.each([
  {
    what: 'without the database number of REDIS_URL',
    settings: {} as Record<string, string>,
    path: '/99',
    code: 'DATABASE',
    says: /database number of REDIS_URL/,
  },
  {
    what: 'that is a node of a cluster',
    settings: { 'cluster-enabled': 'yes' },
    path: '',
    code: 'CLUSTER',
    says: /cluster mode/,
  },
])('a Redis $what', ({ settings, path, code, says }) => {
  let server: OwnServer;
  let database: TestDatabase;
  let daemons: TestDaemon[];
  beforeAll(async () => {
    [server, database] = await Promise.all([ownRedis(settings), createTestDatabase()]);
    const env = {
      REDIS_URL: `${server.url}${path}`,
      DATABASE_URL: database.url,
      SLUICE_NAMESPACE: testNamespace(),
      WRITER_NAME: 'writer-1',
    };
    const names = ['ingest-api', 'writer-worker', 'maintenance-worker', 'query-api'] as const;
    daemons = await Promise.all(names.map((name) => startTestDaemon(name, env)));
  });
  afterAll(async () => {
    await Promise.all(daemons.map((daemon) => daemon.stop()));
    await server.remove();
    await database.drop();
  });

  it('is used by no daemon, and each says why', async () => {
    const [ingest, writer, maintenance, query] = daemons as [TestDaemon, TestDaemon, TestDaemon, TestDaemon];
    for (const { url } of [ingest, writer, maintenance])
      await vi.waitFor(async () => {
        const { status, body } = await get(`${url}/ready`);
        expect([status, body.reasons?.redis]).toEqual([503, expect.stringMatching(says)]);
      }, PATIENCE);
    await vi.waitFor(async () => {
      const { body } = await get(`${query.url}/health`);
      expect(body).toMatchObject({
        status: 'degraded',
        details: { redis: { code, error: expect.stringMatching(says) as string } },
      });
    }, PATIENCE);
    const refused = await post(`${ingest.url}/api/events`, { events: [makeEvent()] });
    expect([refused.status, refused.body.error.code]).toEqual([503, 'queue_unavailable']);

    for (const daemon of daemons) {
      const line = daemon.log().find(({ msg }) => msg === 'Redis refuses the connection');
      expect(line).toMatchObject({ code, error: expect.stringMatching(says) as string });
      expect(daemon.log().filter(({ msg }) => msg === 'Redis cannot be reached')).toEqual([]);
    }
    // BullMQ's connections are refused too.
    const admin = new Redis(server.url);
    expect(await admin.dbsize()).toBe(0);
    admin.disconnect();
  });
});

import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { get, post } from '@sluice/testkit/http';
import { makeEvent } from '@sluice/testkit/make-event';
import { type OwnServer, ownRedis } from '@sluice/testkit/own-servers';
import { type Pipeline, startPipeline } from '@sluice/testkit/pipeline';
import { startTestDaemon, type TestDaemon } from '@sluice/testkit/test-daemon';

type Name = 'ingest-api' | 'writer-worker' | 'maintenance-worker' | 'query-api';

/** A state in which Redis answers PING, and refuses what some daemons do. */
interface State {
  readonly what: string;
  readonly begin: (redis: Redis, stream: string) => Promise<unknown>;
  readonly end: (redis: Redis, stream: string) => Promise<unknown>;
  readonly code: string;
  /** What an operator is advised. */
  readonly advice: RegExp;
  /** Daemons that cannot do their work; all others stay ready. */
  readonly stops: readonly Name[];
}

/** Takes permissions from the only user. `default` keeps what the test itself needs. */
function without(...commands: string[]): Pick<State, 'begin' | 'end'> {
  return {
    begin: (redis) => redis.call('ACL', 'SETUSER', 'default', ...commands.map((command) => `-${command}`)),
    end: (redis) => redis.call('ACL', 'SETUSER', 'default', '+@all'),
  };
}

const ALL: readonly Name[] = ['ingest-api', 'writer-worker', 'maintenance-worker', 'query-api'];

const STATES: readonly State[] = [
  {
    what: 'a replica',
    begin: (redis) => redis.call('REPLICAOF', '127.0.0.1', '1'),
    end: (redis) => redis.call('REPLICAOF', 'NO', 'ONE'),
    code: 'READONLY',
    advice: /Point REDIS_URL at the master/,
    stops: ALL,
  },
  {
    what: 'a user without xadd',
    ...without('xadd'),
    code: 'NOPERM',
    advice: /ACL SETUSER.*xadd/,
    stops: ['ingest-api', 'maintenance-worker'],
  },
  {
    what: 'a user without xreadgroup',
    ...without('xreadgroup'),
    code: 'NOPERM',
    advice: /ACL SETUSER.*xreadgroup/,
    stops: ['writer-worker'],
  },
  {
    what: 'a user without xautoclaim',
    ...without('xautoclaim'),
    code: 'NOPERM',
    advice: /ACL SETUSER.*xautoclaim/,
    stops: ['writer-worker'],
  },
  {
    what: 'a user without scripts',
    ...without('eval', 'evalsha'),
    code: 'NOPERM',
    advice: /ACL SETUSER.*eval/,
    stops: ['writer-worker', 'maintenance-worker', 'query-api'],
  },
  {
    what: 'a user without xack',
    ...without('xack'),
    code: 'NOPERM',
    advice: /ACL SETUSER.*xack/,
    stops: ['writer-worker'],
  },
  {
    what: 'a user without hincrby',
    ...without('hincrby'),
    code: 'NOPERM',
    advice: /ACL SETUSER.*hincrby/,
    stops: ['writer-worker'],
  },
  {
    what: 'a key of another type in the place of the stream',
    begin: (redis, stream) => redis.multi().del(stream).set(stream, 'x').exec(),
    end: (redis, stream) => redis.del(stream),
    code: 'WRONGTYPE',
    advice: /SLUICE_NAMESPACE/,
    stops: ['ingest-api', 'writer-worker', 'maintenance-worker'],
  },
  {
    what: 'no memory left',
    begin: (redis) => redis.config('SET', 'maxmemory', '1'),
    end: (redis) => redis.config('SET', 'maxmemory', '0'),
    code: 'OOM',
    advice: /maxmemory/,
    stops: ['ingest-api', 'maintenance-worker'],
  },
  {
    what: 'too few replicas',
    begin: (redis) => redis.config('SET', 'min-replicas-to-write', '1'),
    end: (redis) => redis.config('SET', 'min-replicas-to-write', '0'),
    code: 'NOREPLICAS',
    advice: /min-replicas-to-write/,
    stops: ALL,
  },
];

const PATIENCE = { timeout: 180_000, interval: 100 };

let server: OwnServer;
let pipeline: Pipeline;
let daemons: Readonly<Record<Name, TestDaemon>>;
beforeAll(async () => {
  server = await ownRedis();
  pipeline = await startPipeline({ redisUrl: server.url });
  const env = { REDIS_URL: server.url, SLUICE_NAMESPACE: pipeline.namespace, DATABASE_URL: pipeline.database.url };
  const writer = await pipeline.startWriter('writer-1', { RECLAIM_IDLE_MS: '1000' });
  const [maintenance, query] = await Promise.all([
    startTestDaemon('maintenance-worker', env),
    startTestDaemon('query-api', env),
  ]);
  daemons = {
    'ingest-api': pipeline.ingest,
    'writer-worker': writer,
    'maintenance-worker': maintenance,
    'query-api': query,
  };
  await everyDaemonWorks();
});
afterAll(async () => {
  await Promise.all([daemons['maintenance-worker'].stop(), daemons['query-api'].stop()]);
  await pipeline.stop();
  await server.remove();
});

/** Why a daemon's Redis check fails; null when it passes. */
async function whyNot(name: Name): Promise<{ code: string; error: string } | null> {
  const { body } = await get(`${daemons[name].url}/health`);
  return body.checks.redis === 'ok' ? null : body.details.redis;
}

async function everyDaemonWorks(): Promise<void> {
  await vi.waitFor(async () => {
    expect(await Promise.all(ALL.map(whyNot))).toEqual(ALL.map(() => null));
    for (const name of ALL) expect((await get(`${daemons[name].url}/ready`)).status, name).toBe(200);
  }, PATIENCE);
}

const send = async () => post(`${daemons['ingest-api'].url}/api/events`, { events: [makeEvent()] });

describe.each(STATES)('Redis is $what', ({ begin, end, code, advice, stops }) => {
  it('each daemon that cannot work says so by itself, with the reason, and works again afterwards', async () => {
    const { redis, stream } = pipeline;
    await begin(redis, stream);
    try {
      await vi.waitFor(async () => {
        for (const name of ALL) {
          const reason = await whyNot(name);
          if (stops.includes(name))
            expect(reason, name).toMatchObject({ code, error: expect.stringMatching(advice) as string });
          else expect(reason, name).toBeNull();
        }
      }, PATIENCE);
      for (const name of stops) {
        const { status, body } = await get(`${daemons[name].url}/ready`);
        // The query API does without Redis all but showing the queue.
        if (name === 'query-api') expect(status).toBe(200);
        else {
          expect(status, name).toBe(503);
          expect(body, name).toMatchObject({
            ready: false,
            failed: expect.arrayContaining(['redis']) as string[],
            reasons: { redis: expect.stringMatching(advice) as string },
          });
        }
      }
      if (stops.includes('ingest-api')) {
        const { status, body } = await send();
        // Once ingest has seen how full Redis is, it does not even ask.
        if (code === 'OOM' && status === 429) expect(body.error.code).toBe('queue_full');
        else {
          expect([status, body.error.code]).toEqual([503, 'queue_unavailable']);
          expect(body.error.message).toBe(
            `The queue refuses new events (${code}). Send the batch again with the same ids.`,
          );
        }
      }
    } finally {
      await end(redis, stream);
    }
    await everyDaemonWorks();
    // What ingest knows of Redis's memory is up to a second old.
    await vi.waitFor(async () => expect((await send()).status).toBe(202), PATIENCE);
    await pipeline.drained();
  });
});

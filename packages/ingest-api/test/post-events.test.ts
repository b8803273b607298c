import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { get, post } from '@sluice/testkit/http';
import { makeEvent, makeEvents } from '@sluice/testkit/make-event';
import { startTestDaemon, type TestDaemon } from '@sluice/testkit/test-daemon';
import { testNamespace } from '@sluice/testkit/test-namespace';

const namespace = testNamespace();
let ingest: TestDaemon;
let redis: Redis;

beforeAll(async () => {
  redis = new Redis(inject('redisUrl'));
  ingest = await startTestDaemon('ingest-api', { REDIS_URL: inject('redisUrl'), SLUICE_NAMESPACE: namespace });
});
afterAll(async () => {
  await ingest.stop();
  await redis.del(`${namespace}:{events:0}`);
  await redis.quit();
});

const send = (body: unknown, headers?: Record<string, string>) => post(`${ingest.url}/api/events`, body, headers);

describe('a batch', () => {
  it('is acknowledged with the number accepted, its durability and the time it took', async () => {
    const { status, body, headers } = await send({ events: makeEvents(3) });
    expect(status).toBe(202);
    expect(body).toMatchObject({ accepted: 3, rejected: 0, errors: [], durability: 'fsync' });
    expect(body.batch_id).toMatch(/^[0-9a-f-]{36}$/);
    expect(body.processing_time_ms).toBeGreaterThan(0);
    expect(headers.get('x-processing-time')).toMatch(/^\d+\.\d\dms$/);
    expect(headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('is accepted without its bad events, each of which is answered with its reason', async () => {
    const id = randomUUID();
    const { status, body } = await send({
      events: [makeEvent(), makeEvent({ eventId: id, timestamp: 'yesterday' }), makeEvent(), 'text'],
    });
    expect(status).toBe(202);
    expect(body).toMatchObject({ accepted: 2, rejected: 2 });
    expect(body.errors).toMatchObject([
      { index: 1, event_id: id, code: 'invalid_timestamp', field: 'timestamp' },
      { index: 3, event_id: null, code: 'not_an_object' },
    ]);
  });
});

it('answers /health without Postgres', async () => {
  expect((await get(`${ingest.url}/health`)).body.checks).toMatchObject({ redis: 'ok' });
});

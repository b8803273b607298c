import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { governanceTracker } from '@sluice/events/adapters/governance-tracker/governance-tracker';
import { expectError } from '@sluice/testkit/expect-error';
import { get } from '@sluice/testkit/http';
import { startIngest, type TestIngest } from '@sluice/testkit/ingest';
import { makeEvent } from '@sluice/testkit/make-event';

const hashOf = (key: string): string => createHash('sha256').update(key).digest('hex');
const ACME = { 'x-api-key': 'acme-key' };
const RIVAL = { 'x-api-key': 'rival-key' };

let ingest: TestIngest;

beforeAll(async () => {
  const owners = [
    ['acme', 'acme-key'],
    ['acme', 'acme-second-key'],
    ['rival', 'rival-key'],
    ['acme.shared', 'acme.shared-key'],
  ] as const;
  ingest = await startIngest({ API_KEYS: owners.map(([tenant, key]) => `${tenant}:${hashOf(key)}`).join(',') });
});
afterAll(() => ingest.stop());
beforeEach(() => ingest.clear());

const withoutIds = Array.from({ length: 700 }, () => makeEvent({ eventId: undefined }));

/** The ids under which the events of a batch will be stored. */
async function idsOf(events: unknown[], headers: Record<string, string>): Promise<string[]> {
  await ingest.clear();
  const { body } = await ingest.send({ events }, headers);
  expect(body.accepted).toBe(events.length);
  return (await ingest.queued()).map(
    ({ event, ...origin }) =>
      governanceTracker.project(event, { ...origin, receivedAt: '', clientIp: null, traceId: null }).eventId,
  );
}

it('a resend with the same key gives events without an id the same ids', async () => {
  const headers = { ...ACME, 'idempotency-key': 'batch-7' };
  const first = await idsOf(withoutIds, headers);
  expect(new Set(first).size).toBe(700);
  expect(await idsOf(withoutIds, headers)).toEqual(first);
  expect(await idsOf(withoutIds, { ...ACME, 'idempotency-key': 'batch-8' })).not.toEqual(first);
  expect(await idsOf(withoutIds, { ...RIVAL, 'idempotency-key': 'batch-7' })).not.toEqual(first);
  expect(await idsOf(withoutIds, ACME)).not.toEqual(first);
});

it('an event with its own id keeps it', async () => {
  const event = makeEvent();
  expect(await idsOf([event], { ...ACME, 'idempotency-key': 'own-id' })).toEqual([event['eventId']]);
});

const hit = () => ingest.collect({}, { ...ACME, 'idempotency-key': 'hit-1' });

it('/collect answers with the same id too', async () => {
  expect((await hit()).body.event_id).toBe((await hit()).body.event_id);
});

it.each([
  ['empty', ''],
  ['with a space', 'two words'],
  ['of 256 characters', 'x'.repeat(256)],
  ['with é', 'caf\u00e9'],
])('a key that is %s is answered with 400', async (_what, key) => {
  expectError(
    await ingest.send({ events: [makeEvent()] }, { ...ACME, 'idempotency-key': key }),
    'invalid_request',
    /Idempotency-Key must be 1 to 255/,
  );
  expect(await ingest.entries()).toEqual([]);
});

it('a key of 255 characters is accepted', async () => {
  expect(await idsOf([makeEvent()], { ...ACME, 'idempotency-key': '~'.repeat(255) })).toHaveLength(1);
});

/** The batch of one event without an id. */
const batchOf = (v: number) => ({ events: [{ eventType: 'T', timestamp: '2026-11-21T09:30:00Z', v }] });
const keyed = (key: string) => ({ ...ACME, 'idempotency-key': key });

describe('another body under a used key', () => {
  it('is refused, and nothing of it is queued; a resend of the first one is accepted', async () => {
    const first = await ingest.send(batchOf(1), keyed('k-1'));
    expect(first.status).toBe(202);
    expectError(await ingest.send(batchOf(2), keyed('k-1')), 'idempotency_key_reused', /another body.* 24 h.*new key/);
    const again = await ingest.send(batchOf(1), keyed('k-1'));
    expect(again).toMatchObject({ status: 202, body: { batch_id: first.body.batch_id } });
    expect((await ingest.queued()).map(({ event }) => event['v'])).toEqual([1, 1]);
  });

  it('is one that differs in white space only, and not one that is compressed', async () => {
    const text = JSON.stringify(batchOf(1));
    expect((await ingest.send(text, keyed('k-2'))).status).toBe(202);
    expect((await ingest.send(gzipSync(text), { ...keyed('k-2'), 'content-encoding': 'gzip' })).status).toBe(202);
    expectError(await ingest.send(`${text} `, keyed('k-2')), 'idempotency_key_reused');
  });

  it('is refused by each way in; each has its own keys', async () => {
    const query = (v: number, path: string) => get(`${ingest.url}${path}?v=${v}`, keyed('k-3'));
    const ways = [
      (v: number) => ingest.send(batchOf(v), keyed('k-3')),
      (v: number) => ingest.collect({ v }, keyed('k-3')),
      (v: number) => query(v, '/collect'),
      (v: number) => query(v, '/pixel.gif'),
    ];
    for (const send of ways) {
      expect((await send(1)).status).toBe(202);
      expect((await send(2)).status).toBe(422);
      expect((await send(1)).status).toBe(202);
    }
    expect((await ingest.queued()).map(({ event }) => Number(event['v']))).toEqual(Array(8).fill(1));
    expect(new Set((await ingest.queued()).map(({ batchId }) => batchId)).size).toBe(4);
  });

  it('is no concern of another tenant', async () => {
    expect((await ingest.send(batchOf(1), keyed('k-4'))).status).toBe(202);
    expect((await ingest.send(batchOf(2), { ...RIVAL, 'idempotency-key': 'k-4' })).status).toBe(202);
  });

  it('is refused to another key of the same tenant, which shares its batches', async () => {
    expect((await ingest.send(batchOf(1), keyed('k-7'))).status).toBe(202);
    const other = { 'x-api-key': 'acme-second-key', 'idempotency-key': 'k-7' };
    expectError(await ingest.send(batchOf(2), other), 'idempotency_key_reused');
    expect((await ingest.send(batchOf(1), other)).status).toBe(202);
  });

  it('is accepted when the first one was refused for what it was', async () => {
    expectError(await ingest.send('{"events":[', keyed('k-5')), 'malformed_json');
    expectError(await ingest.send({ events: [{}] }, keyed('k-5')), 'no_valid_events');
    expect((await ingest.send(batchOf(1), keyed('k-5'))).status).toBe(202);
  });

  it('one of two that come at the same time is accepted', async () => {
    const answers = await Promise.all([1, 2, 3, 4].map((v) => ingest.send(batchOf(v), keyed('k-6'))));
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([202, 422, 422, 422]);
    expect(await ingest.queued()).toHaveLength(1);
  });
});

const sharedKey = (tenant: string) => ({ 'x-api-key': `${tenant}-key`, 'idempotency-key': 'shared' });

it('one key and one body of three tenants, by each way in, are batches of their own, and each can be sent again', async () => {
  const ways: ((tenant: string) => Promise<{ status: number }>)[] = [
    (tenant) => ingest.send(batchOf(1), sharedKey(tenant)),
    (tenant) => ingest.collect({ v: 1 }, sharedKey(tenant)),
    (tenant) => get(`${ingest.url}/collect?v=1`, sharedKey(tenant)),
    (tenant) => get(`${ingest.url}/pixel.gif?v=1`, sharedKey(tenant)),
  ];
  for (const send of ways)
    for (const tenant of ['acme', 'rival', 'acme.shared']) {
      expect((await send(tenant)).status).toBe(202);
      expect((await send(tenant)).status).toBe(202);
    }
  const queued = await ingest.queued();
  expect(queued).toHaveLength(24);
  const batches = Map.groupBy(queued, ({ batchId }) => batchId);
  expect(batches.size).toBe(12);
  for (const entries of batches.values()) expect(new Set(entries.map(({ tenant }) => tenant)).size).toBe(1);
});

it('a fingerprint is small, whatever the key and the body are, and goes away', async () => {
  expect((await ingest.send({ events: withoutIds }, keyed('x'.repeat(255)))).status).toBe(202);
  const names = await ingest.redis.keys(`${ingest.namespace}:idempotency:*`);
  expect(names.length).toBeGreaterThan(0);
  for (const name of names) {
    expect(name).toHaveLength(`${ingest.namespace}:idempotency:`.length + 36);
    expect(await ingest.redis.strlen(name)).toBe(16);
    expect(await ingest.redis.ttl(name)).toBeGreaterThan(23 * 3_600);
  }
});

import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '@sluice/local-stack/free-port';
import type { ReceivedSpan } from '@sluice/local-stack/otlp-messages';
import { type OtlpReceiver, startOtlpReceiver } from '@sluice/local-stack/otlp-receiver';
import { streamKey } from '@sluice/stream/stream-keys';
import { type Answer, get } from '@sluice/testkit/http';
import { startIngest, type TestIngest } from '@sluice/testkit/ingest';
import { makeEvent, makeEvents } from '@sluice/testkit/make-event';

let receiver: OtlpReceiver;

beforeAll(async () => {
  receiver = await startOtlpReceiver();
});
afterAll(() => receiver.stop());

function tracedIngest(env: Record<string, string> = {}, options: { redisUrl?: string } = {}): Promise<TestIngest> {
  const tracing = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint, OTEL_BSP_SCHEDULE_DELAY: '50' };
  return startIngest({ ...tracing, ...env }, options);
}

/** Trace context of a client, as it goes over the wire. */
function clientTrace(flags: '00' | '01' = '01') {
  const [traceId, spanId] = [randomBytes(16).toString('hex'), randomBytes(8).toString('hex')];
  return { traceId, spanId, headers: { traceparent: `00-${traceId}-${spanId}-${flags}` } };
}

const spansOf = (traceId: string): ReceivedSpan[] => receiver.spans.filter((span) => span.traceId === traceId);

/** The trace of the batch with this id, once all of its spans have arrived. */
async function traceOfBatch(batchId: string): Promise<{ server: ReceivedSpan; send: ReceivedSpan }> {
  const sending = () => receiver.spans.find(({ attributes }) => attributes['sluice.batch.id'] === batchId);
  const serving = () => receiver.spans.find(({ spanId }) => spanId === sending()?.parentSpanId);
  await receiver.until(() => serving() !== undefined, `the trace of batch ${batchId}`);
  return { server: serving()!, send: sending()! };
}

const traceparentOf = ({ traceId, spanId }: ReceivedSpan): string => `00-${traceId}-${spanId}-01`;

describe('an ingest with tracing', () => {
  let ingest: TestIngest;
  beforeAll(async () => {
    ingest = await tracedIngest({ MAX_BODY_BYTES: '1000000', COLLECT_SITES: 'docs' });
  });
  afterAll(() => ingest.stop());
  afterEach(() => ingest.clear());

  it("continues a client's trace: its request, and in it the sending of the batch", async () => {
    const client = clientTrace();
    const answer = await ingest.send({ events: [makeEvent(), {}, makeEvent()] }, client.headers);
    expect(answer.status).toBe(202);
    const { server, send } = await traceOfBatch(answer.body.batch_id as string);

    expect(server).toMatchObject({
      service: 'sluice-ingest-api',
      name: 'POST /api/events',
      kind: 'server',
      traceId: client.traceId,
      parentSpanId: client.spanId,
      status: 'unset',
      links: [],
    });
    expect(server.attributes).toMatchObject({
      'http.route': '/api/events',
      'http.response.status_code': 202,
      'sluice.request.id': answer.headers.get('x-request-id'),
    });
    expect(send).toMatchObject({
      scope: 'sluice',
      name: 'send events',
      kind: 'producer',
      traceId: client.traceId,
      parentSpanId: server.spanId,
      status: 'unset',
      links: [],
    });
    expect(send.attributes).toEqual({
      'messaging.system': 'redis',
      'messaging.operation.name': 'send',
      'messaging.operation.type': 'send',
      'messaging.destination.name': 'events',
      'messaging.destination.partition.id': '0',
      'messaging.batch.message_count': 2,
      'db.system.name': 'redis',
      'sluice.batch.id': answer.body.batch_id,
      'sluice.tenant': 'default',
      'sluice.source': 'governance-tracker',
      'sluice.entries': 1,
      'sluice.durability': answer.body.durability,
    });
    expect(send.startMs).toBeGreaterThanOrEqual(server.startMs);
    expect(send.endMs).toBeLessThanOrEqual(server.endMs);
    expect(spansOf(client.traceId), 'nothing else').toHaveLength(2);
  });

  it('gives each entry of a batch the context of its sending, not that of the client', async () => {
    const answer = await ingest.send({ events: makeEvents(1_000) }, clientTrace().headers);
    const { send } = await traceOfBatch(answer.body.batch_id as string);
    expect(send.attributes['sluice.entries']).toBe(2);
    expect((await ingest.entries()).map(({ header }) => header.traceparent)).toEqual([
      traceparentOf(send),
      traceparentOf(send),
    ]);
  });

  it('starts a trace for a client that has none, or one that cannot be read', async () => {
    for (const headers of [{}, { traceparent: '00-nothing-of-the-kind-01' }] as Record<string, string>[]) {
      const answer = await ingest.send({ events: [makeEvent()] }, headers);
      const { server, send } = await traceOfBatch(answer.body.batch_id as string);
      expect(server).toMatchObject({ parentSpanId: null, links: [] });
      const [entry] = await ingest.entries();
      expect(entry?.header.traceparent).toBe(traceparentOf(send));
      await ingest.clear();
    }
  });

  it('traces the single events of web pages too, without the values of their query strings', async () => {
    const query = 'siteId=docs&visitorId=secret-1&url=https%3A%2F%2Fdocs.example.com%2F%3Femail%3Dsecret-2&secret-3';
    const cases: [string, string | undefined, (headers: Record<string, string>) => Promise<Answer>][] = [
      ['POST /collect', undefined, (headers) => ingest.collect({ siteId: 'docs' }, headers)],
      ['GET /collect', 'siteId&visitorId&url', (headers) => get(`${ingest.url}/collect?${query}`, headers)],
      ['GET /pixel.gif', 'siteId&visitorId&url', (headers) => get(`${ingest.url}/pixel.gif?${query}`, headers)],
    ];
    for (const [name, names, request] of cases) {
      const client = clientTrace();
      expect((await request(client.headers)).status).toBe(202);
      await receiver.until(() => spansOf(client.traceId).length === 2, name);
      const spans = spansOf(client.traceId);
      const server = spans.find((span) => span.kind === 'server')!;
      const send = spans.find((span) => span.kind === 'producer')!;
      expect(server).toMatchObject({ name, parentSpanId: client.spanId });
      expect(server.attributes['url.query']).toBe(names);
      expect(send).toMatchObject({ name: 'send events', parentSpanId: server.spanId });
      expect(send.attributes).toMatchObject({ 'sluice.tenant': 'docs', 'sluice.source': 'web-collection' });
      expect((await ingest.entries()).at(-1)?.header.traceparent).toBe(traceparentOf(send));
      expect(JSON.stringify(spans)).not.toContain('secret');
    }
  });

  it('keeps the traces of simultaneous requests apart', async () => {
    const requests = Array.from({ length: 30 }, () => ({ client: clientTrace(), events: [makeEvent()] }));
    const answers = await Promise.all(requests.map(({ client, events }) => ingest.send({ events }, client.headers)));
    const headerOf = new Map((await ingest.entries()).map(({ header }) => [header.batchId, header.traceparent]));
    const traces = await Promise.all(answers.map(({ body }) => traceOfBatch(body.batch_id as string)));
    for (const [index, { server, send }] of traces.entries()) {
      const { client } = requests[index]!;
      expect(server).toMatchObject({ traceId: client.traceId, parentSpanId: client.spanId });
      expect(send.traceId).toBe(client.traceId);
      expect(headerOf.get(answers[index]!.body.batch_id as string)).toBe(traceparentOf(send));
    }
    // Spans of Redis commands would show here: those of all batches of one round trip, in the trace of one batch.
    for (const { client } of requests)
      expect(spansOf(client.traceId).map(({ name }) => name)).toEqual(['send events', 'POST /api/events']);
  });

  it.each([
    [400, '{"events":['],
    [413, ' '.repeat(1_000_001)],
    [422, { events: [1] }],
  ])('sends nothing for a request that is answered with %i, whose span has not failed', async (status, body) => {
    const client = clientTrace();
    expect((await ingest.send(body, client.headers)).status).toBe(status);
    await receiver.until(() => spansOf(client.traceId).length > 0, 'the request');
    expect(spansOf(client.traceId)).toMatchObject([{ kind: 'server', status: 'unset', parentSpanId: client.spanId }]);
  });

  it('makes no traces of requests of orchestrators and scrapers', async () => {
    const before = receiver.spans.length;
    for (const path of ['health', 'ready', 'live', 'metrics', 'docs/'])
      expect((await get(`${ingest.url}/${path}`, clientTrace().headers)).status).toBe(200);
    const client = clientTrace();
    await ingest.send({ events: [makeEvent()] }, client.headers);
    await receiver.until(() => spansOf(client.traceId).length === 2, 'the request after them');
    expect(receiver.spans.slice(before).map(({ traceId }) => traceId)).toEqual([client.traceId, client.traceId]);
  });
});

it('with TRACE_CLIENTS=link a request starts a trace of its own, which links to that of the client', async () => {
  const ingest = await tracedIngest({ TRACE_CLIENTS: 'link' });
  const client = clientTrace();
  const answer = await ingest.send({ events: [makeEvent()] }, client.headers);
  const { server, send } = await traceOfBatch(answer.body.batch_id as string);
  expect(server).toMatchObject({ name: 'POST /api/events', parentSpanId: null });
  expect(server.traceId).not.toBe(client.traceId);
  expect(server.links).toMatchObject([{ traceId: client.traceId, spanId: client.spanId }]);
  expect(send).toMatchObject({ traceId: server.traceId, parentSpanId: server.spanId });
  const [entry] = await ingest.entries();
  expect(entry?.header.traceparent).toBe(traceparentOf(send));
  await ingest.stop();
  expect(spansOf(client.traceId)).toEqual([]);
});

it('a batch that Redis refused is an error in the spans of its sending and of its request', async () => {
  const ingest = await tracedIngest({}, { redisUrl: `redis://127.0.0.1:${await freePort()}` });
  const client = clientTrace();
  const answer = await ingest.send({ events: [makeEvent()] }, client.headers);
  expect(answer.status).toBe(503);
  await receiver.until(() => spansOf(client.traceId).length === 2, 'the failed request');
  await ingest.stop();
  expect(spansOf(client.traceId)).toMatchObject([
    { name: 'send events', status: 'error', statusMessage: expect.stringContaining('queue cannot be reached') },
    { name: 'POST /api/events', status: 'error', attributes: { 'http.response.status_code': 503 } },
  ]);
  expect(await ingest.logged(/batch not enqueued; answered 503/)).toMatchObject({
    request_id: answer.headers.get('x-request-id'),
    trace_id: client.traceId,
    span_id: spansOf(client.traceId)[0]!.spanId,
  });
});

it('the span of sending a batch names its stream', async () => {
  const ingest = await tracedIngest({ STREAM_SHARDS: '2' });
  const shards: unknown[] = [];
  for (let sent = 0; sent < 3; sent += 1) {
    const answer = await ingest.send({ events: [makeEvent()] });
    const { send } = await traceOfBatch(answer.body.batch_id as string);
    shards.push(send.attributes['messaging.destination.partition.id']);
  }
  expect(shards).toEqual(['0', '1', '0']);
  await ingest.redis.del(streamKey(ingest.namespace, 1));
  await ingest.stop();
});

it("with a ratio of 0 nothing is kept but what a client's sampled trace asks for", async () => {
  const ingest = await tracedIngest({ OTEL_TRACES_SAMPLER_ARG: '0' });
  const before = receiver.spans.length;
  const [unsampled, sampled] = [clientTrace('00'), clientTrace('01')];
  for (const headers of [{}, unsampled.headers, sampled.headers] as Record<string, string>[])
    expect((await ingest.send({ events: [makeEvent()] }, headers)).status).toBe(202);
  const headers = (await ingest.entries()).map(({ header }) => header.traceparent);
  // A request that is not sampled has a context too, which tells the writer so.
  expect(headers[0]).toMatch(/^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-00$/);
  expect(headers[1]).toMatch(new RegExp(`^00-${unsampled.traceId}-[0-9a-f]{16}-00$`));
  expect(headers[2]).toMatch(new RegExp(`^00-${sampled.traceId}-[0-9a-f]{16}-01$`));
  // The end of the process sends the spans that still wait.
  await ingest.stop();
  expect(receiver.spans.slice(before).map(({ traceId }) => traceId)).toEqual([sampled.traceId, sampled.traceId]);
});

it("without tracing an entry carries the client's own context, or none", async () => {
  const ingest = await startIngest();
  const client = clientTrace();
  await ingest.send({ events: [makeEvent()] }, client.headers);
  await ingest.send({ events: [makeEvent()] });
  expect((await ingest.entries()).map(({ header }) => header.traceparent)).toEqual([client.headers.traceparent, null]);
  await ingest.stop();
});

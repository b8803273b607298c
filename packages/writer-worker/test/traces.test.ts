import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ReceivedSpan } from '@sluice/local-stack/otlp-messages';
import { type OtlpReceiver, startOtlpReceiver } from '@sluice/local-stack/otlp-receiver';
import { makeEvents } from '@sluice/testkit/make-event';
import { type Pipeline, startPipeline } from '@sluice/testkit/pipeline';
import type { TestDaemon } from '@sluice/testkit/test-daemon';
import { enqueue, refusePoison } from './fixtures/enqueue.ts';

let pipeline: Pipeline;
let receiver: OtlpReceiver;
let writer: TestDaemon;

beforeAll(async () => {
  pipeline = await startPipeline({ ingest: false });
  await refusePoison(pipeline);
});
afterAll(() => pipeline.stop());
beforeEach(async () => {
  receiver = await startOtlpReceiver();
});
afterEach(async () => {
  await writer.stop();
  await receiver.stop();
});

/** Each span reads the time of day again, in whole milliseconds, and adds fractions from there. */
const CLOCK_MS = 2;

/** @param batch events in a transaction: with as many on the stream, it begins without a linger */
async function tracedWriter(batch: number, env: Record<string, string> = {}): Promise<TestDaemon> {
  writer = await pipeline.startWriter('writer-1', {
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint,
    OTEL_BSP_SCHEDULE_DELAY: '50',
    WRITER_BATCH_EVENTS: String(batch),
    WRITER_LINGER_MS: '10000',
    ...env,
  });
  return writer;
}

/** The trace context that a client's `send events` would have put into its entry. */
function clientTrace(flags: '00' | '01' = '01') {
  const [traceId, spanId] = [randomBytes(16).toString('hex'), randomBytes(8).toString('hex')];
  return { traceId, spanId, traceparent: `00-${traceId}-${spanId}-${flags}` };
}

const named = (name: string): ReceivedSpan[] => receiver.spans.filter((span) => span.name === name);
const childrenOf = (parent: ReceivedSpan): ReceivedSpan[] =>
  receiver.spans.filter((span) => span.parentSpanId === parent.spanId);
const child = (parent: ReceivedSpan, name: string): ReceivedSpan => {
  const found = childrenOf(parent).filter((span) => span.name === name);
  expect(found, `${name} below ${parent.name}`).toHaveLength(1);
  return found[0]!;
};

async function processSpans(count = 1): Promise<ReceivedSpan[]> {
  await receiver.until(() => named('process events').length >= count, `${count} process events`);
  return named('process events');
}

it('a transaction is a trace of its own, with a link to each request in it, and a span for each of its steps', async () => {
  const clients = [clientTrace('01'), clientTrace('00'), clientTrace('01')];
  for (const { traceparent } of clients) await enqueue(pipeline, makeEvents(2), { traceparent });
  // The same request twice is one link, and one without a trace is none.
  await enqueue(pipeline, makeEvents(1), clients[0]);
  await enqueue(pipeline, makeEvents(1));
  await tracedWriter(8);
  const [span] = await processSpans();

  expect(span).toMatchObject({
    service: 'sluice-writer-worker',
    scope: 'sluice',
    kind: 'consumer',
    parentSpanId: null,
    status: 'unset',
    attributes: {
      'messaging.system': 'redis',
      'messaging.operation.name': 'process',
      'messaging.operation.type': 'process',
      'messaging.destination.name': 'events',
      'messaging.consumer.group.name': 'writers',
      'messaging.batch.message_count': 5,
      'sluice.entries': 5,
      'sluice.events': 8,
      'sluice.links': 3,
      'sluice.attempts': 1,
      'sluice.outcome': 'settled',
      'sluice.events.stored': 8,
      'sluice.events.duplicate': 0,
      'sluice.events.dead': 0,
    },
  });
  expect(clients.map(({ traceId }) => traceId)).not.toContain(span!.traceId);
  expect(span!.links.map(({ traceId, spanId }) => ({ traceId, spanId }))).toEqual(
    clients.map(({ traceId, spanId }) => ({ traceId, spanId })),
  );
  expect(childrenOf(span!).map(({ name }) => name)).toEqual(['decode events', 'write events', 'settle events']);
  // Each request whose trace is sampled gets a span of its commit; the other one gets none.
  const told = receiver.spans.filter(({ name }) => name === 'store events');
  expect(
    told.map(({ traceId, parentSpanId, attributes }) => [traceId, parentSpanId, attributes['sluice.events']]),
  ).toEqual([
    [clients[0]!.traceId, clients[0]!.spanId, 3],
    [clients[2]!.traceId, clients[2]!.spanId, 2],
  ]);
  for (const { links } of told) expect(links).toMatchObject([{ traceId: span!.traceId, spanId: span!.spanId }]);
  const decode = child(span!, 'decode events');
  expect(decode.attributes).toMatchObject({ 'sluice.entries': 5 });
  expect(Math.abs(decode.startMs - span!.startMs)).toBeLessThan(CLOCK_MS);
  expect(decode.endMs).toBeGreaterThan(decode.startMs);
  const write = child(span!, 'write events');
  expect(write).toMatchObject({ kind: 'internal', status: 'unset', attributes: { 'sluice.attempt': 1 } });
  expect(write.startMs).toBeGreaterThan(decode.endMs - CLOCK_MS);
  const statements = childrenOf(write).map(({ kind, scope, attributes }) => [
    kind,
    scope,
    attributes['db.system.name'],
  ]);
  expect(statements).toEqual([['client', 'sluice', 'postgresql']]);
  expect(child(write, 'copy events').attributes).toMatchObject({
    'db.operation.name': 'COPY',
    'db.collection.name': 'events_s1',
    'db.operation.batch.size': 8,
  });
  const settle = child(span!, 'settle events');
  expect(settle).toMatchObject({
    kind: 'client',
    attributes: { 'messaging.operation.name': 'settle', 'messaging.batch.message_count': 5 },
  });
  expect(settle.startMs).toBeGreaterThan(write.endMs - CLOCK_MS);
  expect(childrenOf(settle)).toMatchObject([{ kind: 'client', scope: '@opentelemetry/instrumentation-ioredis' }]);
});

it('all requests of a large transaction are linked to, though OpenTelemetry would keep 128 of them', async () => {
  const clients = Array.from({ length: 300 }, () => clientTrace());
  for (const { traceparent } of clients) await enqueue(pipeline, makeEvents(1), { traceparent });
  await tracedWriter(300);
  const [span] = await processSpans();
  expect(span).toMatchObject({ droppedLinks: 0, attributes: { 'sluice.links': 300 } });
  expect(new Set(span!.links.map(({ traceId }) => traceId))).toEqual(new Set(clients.map(({ traceId }) => traceId)));
});

describe('a batch with an event that Postgres refuses', () => {
  it('has a span for the search, and one for the dead letter in the trace of its request', async () => {
    const [good, bad] = [clientTrace(), clientTrace('00')];
    const [poison] = makeEvents(1, { eventType: 'Poison' });
    await enqueue(pipeline, makeEvents(5), good);
    await enqueue(pipeline, 'not JSON');
    await enqueue(pipeline, [poison!, ...makeEvents(2)], bad);
    await tracedWriter(8);
    const [span] = await processSpans();
    await receiver.until(() => named('dead-letter event').length === 2, 'the dead letters');
    expect(span).toMatchObject({
      status: 'unset',
      attributes: {
        'sluice.events.stored': 7,
        'sluice.events.dead': 2,
        'sluice.links': 2,
        'sluice.outcome': 'settled',
      },
    });
    const isolate = child(span!, 'isolate events');
    const search = child(isolate, 'isolate rows');
    // The statement has not failed: to find the bad event is its purpose.
    expect(search).toMatchObject({
      status: 'unset',
      attributes: { 'sluice.events': 8, 'sluice.events.refused': 1 },
    });
    expect(childrenOf(search).map(({ scope }) => scope)).toEqual(['@opentelemetry/instrumentation-pg']);

    const letters = await pipeline.database.query<{ id: string; reason: string }>(
      'SELECT id, reason FROM dead_letters',
    );
    const idOf = (reason: string): string => letters.find((letter) => letter.reason === reason)!.id;
    const link = { traceId: span!.traceId, spanId: span!.spanId };
    expect(named('dead-letter event').find(({ traceId }) => traceId === bad.traceId)).toMatchObject({
      parentSpanId: bad.spanId,
      kind: 'internal',
      status: 'error',
      statusMessage: 'poisoned',
      links: [link],
      attributes: {
        'sluice.dead_letter.id': idOf('invalid_value'),
        'sluice.dead_letter.reason': 'invalid_value',
        'db.response.status_code': '22023',
        'sluice.event.id': poison!['eventId'],
      },
    });
    // Nobody can read which trace the other one came from.
    expect(child(span!, 'dead-letter event')).toMatchObject({
      traceId: span!.traceId,
      status: 'error',
      links: [link],
      attributes: {
        'sluice.dead_letter.id': idOf('malformed_body'),
        'sluice.dead_letter.reason': 'malformed_body',
      },
    });
  });

  it('is retained though nothing is sampled; one that succeeded is not', async () => {
    await tracedWriter(3, { OTEL_TRACES_SAMPLER_ARG: '0', WRITER_CONCURRENCY: '1' });
    const [good, bad] = [clientTrace('00'), clientTrace('00')];
    await enqueue(pipeline, makeEvents(3), good);
    await enqueue(pipeline, [...makeEvents(2), ...makeEvents(1, { eventType: 'Poison' })], bad);
    const [span, ...others] = await processSpans();
    await pipeline.drained();
    await writer.stop();
    expect(others).toEqual([]);
    expect(span!.links).toMatchObject([{ traceId: bad.traceId }]);
    expect(new Set(childrenOf(span!).map(({ name }) => name))).toEqual(
      new Set(['decode events', 'write events', 'isolate events', 'settle events']),
    );
    expect(child(span!, 'write events')).toMatchObject({
      status: 'error',
      attributes: { 'sluice.failure.class': 'row', 'error.type': '22023' },
    });
    expect(named('dead-letter event')).toMatchObject([{ traceId: bad.traceId, parentSpanId: bad.spanId }]);
    expect(new Set(receiver.spans.map(({ traceId }) => traceId))).toEqual(new Set([span!.traceId, bad.traceId]));
  });
});

it('a failed try is a failed span in a successful transaction, and its trace is retained', async () => {
  const blocker = await pipeline.database.connect();
  await blocker.query('BEGIN; LOCK TABLE events IN ACCESS EXCLUSIVE MODE');
  await tracedWriter(4, { OTEL_TRACES_SAMPLER_ARG: '0', STATEMENT_TIMEOUT_MS: '300' });
  await enqueue(pipeline, makeEvents(4), clientTrace('00'));
  await expect.poll(() => writer.output(), { timeout: 180_000 }).toContain('storing failed; retrying');
  await blocker.query('COMMIT');
  await blocker.end();
  const [span] = await processSpans();
  expect(span).toMatchObject({ status: 'unset', attributes: { 'sluice.events.stored': 4 } });
  const tries = childrenOf(span!).filter(({ name }) => name === 'write events');
  expect(span!.attributes['sluice.attempts']).toBe(tries.length);
  expect(tries.length).toBeGreaterThan(1);
  expect(tries.at(-1)).toMatchObject({ status: 'unset', attributes: { 'sluice.attempt': tries.length } });
  expect(tries[0]).toMatchObject({
    status: 'error',
    attributes: { 'sluice.attempt': 1, 'sluice.failure.class': 'transient', 'error.type': '57014' },
  });
});

it('an abandoned transaction is a failed span, sent before the writer ends', async () => {
  await pipeline.database.query('ALTER TABLE events_s1 RENAME TO events_away');
  await tracedWriter(3);
  await enqueue(pipeline, makeEvents(3));
  await expect.poll(() => writer.output(), { timeout: 180_000 }).toContain('STALLED');
  await writer.stop();
  await pipeline.database.query('ALTER TABLE events_away RENAME TO events_s1');
  const [span] = await processSpans();
  expect(span).toMatchObject({ status: 'error', attributes: { 'sluice.outcome': 'abandoned' } });
  expect(childrenOf(span!).find(({ name }) => name === 'write events')).toMatchObject({
    status: 'error',
    attributes: { 'sluice.failure.class': 'operator', 'error.type': '42P01' },
  });
});

import { afterEach, beforeEach, expect, it } from 'vitest';
import { startOtlpReceiver } from '@sluice/local-stack/otlp-receiver';
import { readConservation } from '@sluice/stream/conservation';
import { createGroup } from '@sluice/stream/consumer-group';
import { get } from '@sluice/testkit/http';
import { makeEvents } from '@sluice/testkit/make-event';
import { type Pipeline, startPipeline } from '@sluice/testkit/pipeline';
import type { TestDaemon } from '@sluice/testkit/test-daemon';
import { enqueue, refusePoison } from './fixtures/enqueue.ts';
import { readMetrics } from './fixtures/read-metrics.ts';

let pipeline: Pipeline;
beforeEach(async () => {
  pipeline = await startPipeline({ ingest: false });
});
afterEach(() => pipeline.stop());

/** The log line of a failed try, in its two forms. */
const failedTries = (writer: TestDaemon): number =>
  writer.log().filter(({ msg }) => String(msg).startsWith('storing failed')).length;

it('report exactly what the writer did', async () => {
  await refusePoison(pipeline);
  const writer = await pipeline.startWriter('writer-1', { STATEMENT_TIMEOUT_MS: '300', LOG_LEVEL: 'debug' });
  const before = await readMetrics(writer.url);
  expect(before.get('sluice_writer_retries_total{class="transient"}')).toBe(0);
  expect(before.get('sluice_writer_dead_letters_total{reason="invalid_value"}')).toBe(0);
  expect(before.get('sluice_writer_last_commit_timestamp_seconds')).toBe(0);

  const events = makeEvents(4);
  const startedAt = Date.now();
  const aMinuteAgo = new Date(startedAt - 60_000).toISOString();
  for (const batch of [
    events,
    [...events, ...makeEvents(2)],
    [...makeEvents(2), ...makeEvents(1, { eventType: 'Poison' })],
    'not JSON',
  ]) {
    await enqueue(pipeline, batch, { receivedAt: aMinuteAgo });
    await pipeline.drained();
  }
  const blocker = await pipeline.database.connect();
  await blocker.query('BEGIN; LOCK TABLE events IN ACCESS EXCLUSIVE MODE');
  await enqueue(pipeline, makeEvents(7), { receivedAt: aMinuteAgo });
  await expect.poll(() => failedTries(writer), { timeout: 180_000 }).toBeGreaterThanOrEqual(2);
  await blocker.query('COMMIT');
  await blocker.end();
  await pipeline.drained();

  // The batch is at its end a moment after Redis has let go of its entries.
  await expect
    .poll(async () => (await readMetrics(writer.url)).get('sluice_writer_transactions_total{outcome="settled"}'))
    .toBe(5);
  const after = await readMetrics(writer.url);
  const value = (name: string): number | undefined => after.get(`sluice_writer_${name}`);
  expect(value('transactions_total{outcome="unsettled"}')).toBe(0);
  expect(value('transactions_total{outcome="abandoned"}')).toBe(0);
  expect(value('events_total{outcome="stored"}')).toBe(4 + 2 + 2 + 7);
  expect(value('events_total{outcome="duplicate"}')).toBe(4);
  expect(value('events_total{outcome="dead"}')).toBe(2);
  expect(value('dead_letters_total{reason="invalid_value"}')).toBe(1);
  expect(value('dead_letters_total{reason="malformed_body"}')).toBe(1);
  expect(value('dead_letters_total{reason="missing_value"}')).toBe(0);
  expect(value('retries_total{class="row"}')).toBe(1);
  expect(value('retries_total{class="transient"}')).toBe(failedTries(writer));
  expect(value('retries_total{class="operator"}')).toBe(0);
  expect(value('isolations_total')).toBe(2);
  expect(value('transaction_duration_seconds_count')).toBe(5);
  expect(value('transaction_events_count')).toBe(5);
  expect(value('transaction_events_sum')).toBe(4 + 6 + 3 + 0 + 7);
  // Once for each entry that can be read, and from its request on.
  expect(value('end_to_end_seconds_count')).toBe(4);
  expect(value('end_to_end_seconds_bucket{le="30"}')).toBe(0);
  expect(value('end_to_end_seconds_bucket{le="300"}')).toBe(4);
  expect(value('last_commit_timestamp_seconds')).toBeGreaterThanOrEqual(startedAt / 1000);
  expect(value('in_flight_transactions')).toBe(0);
  expect(value('buffered_events')).toBe(0);
  expect(value('breaker_open')).toBe(0);
  expect(value('stalled')).toBe(0);
  expect(value('idle_seconds')).toBeLessThan(60);

  expect(await readConservation(pipeline.redis, pipeline.stream)).toEqual({
    added: 5,
    settled: 5,
    waiting: 0,
    orphaned: 0,
    events: 4 + 6 + 3 + 1 + 7,
    stored: 15,
    duplicate: 4,
    dead: 2,
    driftEntries: 0,
    driftEvents: 0,
  });
});

it('count the entries that were taken over, and those that are lost', async () => {
  const { redis, stream } = pipeline;
  await createGroup(redis, stream);
  const ids = [];
  for (let entry = 0; entry < 3; entry += 1) ids.push(await enqueue(pipeline, makeEvents(1)));
  await redis.xreadgroup('GROUP', 'writers', 'gone', 'COUNT', 10, 'STREAMS', stream, '>');
  await redis.xdel(stream, ids[1]!);
  const writer = await pipeline.startWriter('writer-1', { RECLAIM_IDLE_MS: '200' });
  await pipeline.drained();
  await pipeline.stored(2);
  const metrics = await readMetrics(writer.url);
  expect(metrics.get('sluice_writer_reclaimed_entries_total')).toBe(2);
  expect(metrics.get('sluice_writer_lost_entries_total')).toBe(1);
});

it('lead from a slow transaction to its trace', async () => {
  const receiver = await startOtlpReceiver();
  const writer = await pipeline.startWriter('writer-1', {
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint,
    OTEL_BSP_SCHEDULE_DELAY: '50',
  });
  await enqueue(pipeline, makeEvents(3));
  const spans = () => receiver.spans.filter(({ name }) => name === 'process events');
  await receiver.until(() => spans().length === 1, 'the transaction');
  const { body } = await get(`${writer.url}/metrics`, { accept: 'application/openmetrics-text' });
  for (const name of ['transaction_duration_seconds', 'transaction_events', 'end_to_end_seconds']) {
    expect(body).toMatch(
      new RegExp(`^sluice_writer_${name}_bucket\\{le="[^"]+"\\} 1 # \\{trace_id="${spans()[0]!.traceId}"`, 'm'),
    );
  }
  await writer.stop();
  await receiver.stop();
});

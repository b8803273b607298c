import { afterAll, beforeAll, expect, it } from 'vitest';
import { type OtlpReceiver, startOtlpReceiver } from '@sluice/local-stack/otlp-receiver';
import { makeEvents } from '@sluice/testkit/make-event';
import { type Pipeline, startPipeline } from '@sluice/testkit/pipeline';
import { enqueue } from './fixtures/enqueue.ts';

let receiver: OtlpReceiver;
let pipeline: Pipeline;

beforeAll(async () => {
  receiver = await startOtlpReceiver();
  pipeline = await startPipeline({ ingest: false });
});
afterAll(async () => {
  await pipeline.stop();
  await receiver.stop();
});

it('the trace of a transaction with a dead letter is retained, though nothing is sampled and no try failed', async () => {
  await enqueue(pipeline, makeEvents(2));
  await enqueue(pipeline, 'not JSON');
  const writer = await pipeline.startWriter('writer-1', {
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint,
    OTEL_TRACES_SAMPLER_ARG: '0',
  });
  await pipeline.drained();
  // The end of the process sends what is still waiting.
  await writer.stop();
  const named = (name: string) => receiver.spans.filter((span) => span.name === name);
  const [transaction] = named('process events');
  expect(transaction).toMatchObject({ status: 'unset', attributes: { 'sluice.events.dead': 1 } });
  expect(named('dead-letter event')).toMatchObject([
    { traceId: transaction!.traceId, parentSpanId: transaction!.spanId },
  ]);
});

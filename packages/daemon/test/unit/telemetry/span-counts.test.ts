import { ROOT_CONTEXT } from '@opentelemetry/api';
import { type ExportResult, ExportResultCode, setGlobalErrorHandler } from '@opentelemetry/core';
import { BatchSpanProcessor, type ReadableSpan, type SpanExporter, TracerProvider } from '@opentelemetry/sdk-trace';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { boundQueue, countExports, type SpanCounts } from '../../../src/telemetry/span-counts.ts';

const DELAY_MS = 100;
const TIMEOUT_MS = 1_000;
const QUEUE = 20;

/** An exporter that answers when the test says so. */
function manualExporter() {
  const open: { spans: ReadableSpan[]; done: (result: ExportResult) => void }[] = [];
  const exporter: SpanExporter = {
    export: (spans, done) => void open.push({ spans, done }),
    forceFlush: async () => {},
    shutdown: async () => {},
  };
  return { exporter, open };
}

let counts: SpanCounts;
let outages: (string | undefined)[];
const open = { manual: manualExporter() };

const OK = { code: ExportResultCode.SUCCESS };
const FAILED = { code: ExportResultCode.FAILED, error: new Error('connection refused') };

beforeEach(() => {
  vi.useFakeTimers();
  setGlobalErrorHandler(() => {});
  counts = { exported: 0, droppedQueueFull: 0, droppedExportFailed: 0 };
  outages = [];
  open.manual = manualExporter();
});
afterEach(() => vi.useRealTimers());

function startProvider(): { end: (count: number) => void; provider: TracerProvider } {
  const exporter = countExports(open.manual.exporter, counts, {
    began: (error) => void outages.push(error?.message),
    ended: () => void outages.push('over'),
  });
  const processor = boundQueue(
    (next) =>
      new BatchSpanProcessor({
        exporter: next,
        maxQueueSize: QUEUE,
        maxExportBatchSize: 10,
        scheduledDelayMillis: DELAY_MS,
        exportTimeoutMillis: TIMEOUT_MS,
      }),
    { exporter, maxQueueSize: QUEUE, counts },
  );
  const provider = new TracerProvider({ spanProcessors: [processor] });
  const tracer = provider.getTracer('test');
  return {
    provider,
    end(count) {
      for (let at = 0; at < count; at += 1) tracer.startSpan('span', {}, ROOT_CONTEXT).end();
    },
  };
}

it('counts what the collector accepted and what it did not', async () => {
  const { end } = startProvider();
  end(3);
  await vi.advanceTimersByTimeAsync(DELAY_MS);
  open.manual.open.shift()!.done(OK);
  await vi.advanceTimersByTimeAsync(0);
  end(4);
  await vi.advanceTimersByTimeAsync(DELAY_MS);
  open.manual.open.shift()!.done(FAILED);
  expect(counts).toEqual({ exported: 3, droppedQueueFull: 0, droppedExportFailed: 4 });
});

it('reports an outage once at its start and once at its end', async () => {
  const { end } = startProvider();
  for (const result of [FAILED, FAILED, FAILED, OK, OK, FAILED]) {
    end(1);
    await vi.advanceTimersByTimeAsync(DELAY_MS);
    open.manual.open.shift()!.done(result);
    await vi.advanceTimersByTimeAsync(0);
  }
  expect(outages).toEqual(['connection refused', 'over', 'connection refused']);
});

it('drops and counts what goes beyond the queue while the collector hangs', async () => {
  const { end } = startProvider();
  // Ten are on their way, twenty wait.
  end(10 + QUEUE + 7);
  expect(open.manual.open.map(({ spans }) => spans.length)).toEqual([10]);
  expect(counts.droppedQueueFull).toBe(7);
});

it('accepts spans again once a batch has left, whatever happens to it', async () => {
  const { end } = startProvider();
  end(10 + QUEUE + 1);
  expect(counts.droppedQueueFull).toBe(1);
  // The batch processor gives up the one on its way and begins with the next, so ten places are free.
  await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
  expect(open.manual.open).toHaveLength(2);
  end(10);
  expect(counts.droppedQueueFull).toBe(1);
  // An answer after the time-out counts as what it says.
  const sent = open.manual.open.flatMap(({ spans }) => spans).length;
  for (const { done } of open.manual.open.splice(0)) done(FAILED);
  expect(counts.droppedExportFailed).toBe(sent);
});

it('never exceeds its queue, however long the collector is away', async () => {
  const { end } = startProvider();
  let ended = 0;
  let sent = 0;
  for (let round = 0; round < 50; round += 1) {
    end(7);
    ended += 7;
    if (round % 5 === 0) await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
    sent += open.manual.open.splice(0).flatMap(({ spans }) => spans).length;
    expect(ended - sent - counts.droppedQueueFull).toBeLessThanOrEqual(QUEUE);
  }
  expect(counts.droppedQueueFull).toBeGreaterThan(0);
});

it('loses no slot of the queue in a hundred rounds of time-outs, failures and flushes', async () => {
  const { end, provider } = startProvider();
  for (let round = 0; round < 100; round += 1) {
    end(QUEUE);
    const flushed = provider.forceFlush().catch(() => {});
    const results = round % 3 === 0 ? OK : FAILED;
    if (round % 2 === 0) for (const { done } of open.manual.open.splice(0)) done(results);
    await vi.advanceTimersByTimeAsync(2 * TIMEOUT_MS);
    for (const { done } of open.manual.open.splice(0)) done(results);
    await flushed;
  }
  expect(counts.droppedQueueFull).toBe(0);
  expect(counts.exported + counts.droppedExportFailed).toBe(100 * QUEUE);
});

it('does not count spans that the batch processor ignores', async () => {
  const { provider } = startProvider();
  const processor = boundQueue((next) => new BatchSpanProcessor({ exporter: next }), {
    exporter: open.manual.exporter,
    maxQueueSize: 1,
    counts,
  });
  const span = provider.getTracer('test').startSpan('span') as unknown as ReadableSpan;
  const unsampled = Object.create(span, {
    spanContext: { value: () => ({ ...span.spanContext(), traceFlags: 0 }) },
  }) as ReadableSpan;
  for (let at = 0; at < 5; at += 1) processor.onEnd(unsampled);
  processor.onEnd(span);
  expect(counts.droppedQueueFull).toBe(0);
});

it('a flush also waits for what is being sent', async () => {
  const onItsWay = Promise.withResolvers<void>();
  open.manual.exporter.forceFlush = () => onItsWay.promise;
  const { end, provider } = startProvider();
  end(1);
  await vi.advanceTimersByTimeAsync(DELAY_MS);
  expect(open.manual.open).toHaveLength(1);
  let flushed = false;
  const flushing = provider.forceFlush().then(() => (flushed = true));
  await vi.advanceTimersByTimeAsync(1);
  expect(flushed).toBe(false);
  onItsWay.resolve();
  await flushing;
});

import { trace } from '@opentelemetry/api';
import { ExportResultCode } from '@opentelemetry/core';
import { BatchSpanProcessor, type ReadableSpan, type SpanExporter, TracerProvider } from '@opentelemetry/sdk-trace';
import { afterEach, expect, it } from 'vitest';
import { flushTraces } from '../../../src/telemetry/flush-traces.ts';

afterEach(() => trace.disable());

function traceTo(exporter: Pick<SpanExporter, 'export'>): void {
  const processor = new BatchSpanProcessor({ exporter: { ...exporter, shutdown: async () => {} } });
  trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [processor] }));
}

it('does nothing while tracing is off', async () => {
  await expect(flushTraces(1)).resolves.toBeUndefined();
});

it('sends what still waits', async () => {
  const sent: ReadableSpan[] = [];
  traceTo({
    export(spans, done) {
      sent.push(...spans);
      done({ code: ExportResultCode.SUCCESS });
    },
  });
  trace.getTracer('test').startSpan('last').end();
  await flushTraces(60_000);
  expect(sent.map(({ name }) => name)).toEqual(['last']);
});

it('gives up when the collector hangs', async () => {
  let asked = 0;
  traceTo({ export: () => void (asked += 1) });
  trace.getTracer('test').startSpan('last').end();
  await flushTraces(20);
  expect(asked).toBe(1);
});

it('does not throw when the collector refuses', async () => {
  traceTo({ export: (_, done) => done({ code: ExportResultCode.FAILED, error: new Error('no') }) });
  trace.getTracer('test').startSpan('last').end();
  await expect(flushTraces(60_000)).resolves.toBeUndefined();
});

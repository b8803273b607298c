import { TraceFlags } from '@opentelemetry/api';
import { type ExportResult, ExportResultCode } from '@opentelemetry/core';
import type { ReadableSpan, SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace';

/** What happened to the spans of this process. */
export interface SpanCounts {
  exported: number;
  /** The collector was too slow or away, and the queue was full. */
  droppedQueueFull: number;
  /** The collector did not accept them. */
  droppedExportFailed: number;
}

/**
 * The only global state of this package. Tracing starts before `main.ts`, like OpenTelemetry's own global state, and the
 * daemon's metrics read these numbers.
 */
export const spanCounts: SpanCounts = { exported: 0, droppedQueueFull: 0, droppedExportFailed: 0 };

/** Notified of each outage of the collector, once at its start and once at its end. */
export interface OutageListener {
  began(error: Error | undefined): void;
  ended(): void;
}

/** Counts what the collector accepted and what it did not. */
export function countExports(exporter: SpanExporter, counts: SpanCounts, outage: OutageListener): SpanExporter {
  let away = false;
  return {
    export(spans: ReadableSpan[], done: (result: ExportResult) => void) {
      exporter.export(spans, (result) => {
        const taken = result.code === ExportResultCode.SUCCESS;
        if (taken) counts.exported += spans.length;
        else counts.droppedExportFailed += spans.length;
        if (taken && away) outage.ended();
        if (!taken && !away) outage.began(result.error);
        away = !taken;
        done(result);
      });
    },
    forceFlush: async () => exporter.forceFlush?.(),
    shutdown: () => exporter.shutdown(),
  };
}

/**
 * Drops and counts the spans beyond `maxQueueSize`. The batch processor's own queue has the same limit, but its count is
 * private.
 */
export function boundQueue(
  makeNext: (exporter: SpanExporter) => SpanProcessor,
  { exporter, maxQueueSize, counts }: { exporter: SpanExporter; maxQueueSize: number; counts: SpanCounts },
): SpanProcessor {
  let waiting = 0;
  const next = makeNext({
    export(spans, done) {
      waiting -= spans.length;
      exporter.export(spans, done);
    },
    forceFlush: async () => exporter.forceFlush?.(),
    shutdown: () => exporter.shutdown(),
  });
  return {
    onStart: (span, context) => next.onStart(span, context),
    onEnd(span) {
      // The batch processor ignores these, so they would be counted as waiting forever.
      if ((span.spanContext().traceFlags & TraceFlags.SAMPLED) === 0) return;
      if (waiting >= maxQueueSize) {
        counts.droppedQueueFull += 1;
        return;
      }
      waiting += 1;
      next.onEnd(span);
    },
    async forceFlush() {
      // The batch processor only sends what still waits. The exporter waits for what is being sent.
      await Promise.all([next.forceFlush(), exporter.forceFlush?.()]);
    },
    shutdown: () => next.shutdown(),
  };
}

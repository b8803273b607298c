import { TraceFlags } from '@opentelemetry/api';
import { type ExportResult, ExportResultCode } from '@opentelemetry/core';
import type { ReadableSpan, SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace';

/** What became of the spans of this process. */
export interface SpanCounts {
  exported: number;
  /** The collector was too slow or away, and the queue was full. */
  droppedQueueFull: number;
  /** The collector did not take them. */
  droppedExportFailed: number;
}

/**
 * The one piece of state here that belongs to the process: tracing starts before `main.ts`, as OpenTelemetry's own
 * global does, and the daemon's metrics read these numbers.
 */
export const spanCounts: SpanCounts = { exported: 0, droppedQueueFull: 0, droppedExportFailed: 0 };

/** Hears of the collector's outages, once at their begin and once at their end. */
export interface OutageListener {
  began(error: Error | undefined): void;
  ended(): void;
}

/** Counts what the collector took and what it did not. */
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
 * Drops and counts what goes beyond `maxQueueSize`: the batch processor's own queue has the same limit, but keeps its
 * count to itself.
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
      // The batch processor does not take these, so they would be counted as waiting for ever.
      if ((span.spanContext().traceFlags & TraceFlags.SAMPLED) === 0) return;
      if (waiting >= maxQueueSize) {
        counts.droppedQueueFull += 1;
        return;
      }
      waiting += 1;
      next.onEnd(span);
    },
    async forceFlush() {
      // The batch processor only sends what still waits; what is on its way already is the exporter's.
      await Promise.all([next.forceFlush(), exporter.forceFlush?.()]);
    },
    shutdown: () => next.shutdown(),
  };
}

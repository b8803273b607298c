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

/** Counts what the collector took and what it did not. */
export function countExports(exporter: SpanExporter, counts: SpanCounts): SpanExporter {
  return {
    export(spans: ReadableSpan[], done: (result: ExportResult) => void) {
      exporter.export(spans, (result) => {
        if (result.code === ExportResultCode.SUCCESS) counts.exported += spans.length;
        else counts.droppedExportFailed += spans.length;
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
      if (waiting >= maxQueueSize) {
        counts.droppedQueueFull += 1;
        return;
      }
      waiting += 1;
      next.onEnd(span);
    },
    forceFlush: () => next.forceFlush(),
    shutdown: () => next.shutdown(),
  };
}

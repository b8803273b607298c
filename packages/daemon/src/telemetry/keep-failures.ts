import { type Context, SpanStatusCode, TraceFlags } from '@opentelemetry/api';
import type { ReadableSpan, Span, SpanProcessor } from '@opentelemetry/sdk-trace';
import { KEEP, KEEP_FAILURES } from './sampler.ts';

/** Most traces that are held at the same time. */
const MAX_TRACES = 1_000;
/** Most spans held of one trace: a transaction has about ten, one that isolates bad events some hundreds. */
const MAX_SPANS = 1_000;
/** Most spans held of all traces, a few kilobytes each. */
const MAX_HELD = 20_000;

/** A trace that has not ended. */
interface HeldTrace {
  /** The span whose end is the end of the trace. */
  readonly spanId: string;
  readonly spans: ReadableSpan[];
  kept: boolean;
}

/**
 * Passes sampled spans on at once. Holds spans that are recorded but not sampled, until the outermost span of their trace
 * with `sluice.keep_failures` ends. If one of them failed or got `sluice.keep`, all are passed on as if they had been
 * sampled; else they are dropped. So a transaction that fails is in Jaeger at any ratio.
 *
 * When too much is held, the oldest trace is dropped: a span that never ends must not keep others out forever.
 */
export function keepFailures(next: SpanProcessor): SpanProcessor {
  /** By trace id, oldest first. */
  const traces = new Map<string, HeldTrace>();
  let held = 0;
  const forget = (traceId: string): void => {
    held -= traces.get(traceId)?.spans.length ?? 0;
    traces.delete(traceId);
  };
  const forgetOldest = (): void => {
    for (const traceId of traces.keys()) return forget(traceId);
  };
  return {
    onStart(span: Span, context: Context) {
      next.onStart(span, context);
      const { traceId, spanId, traceFlags } = span.spanContext();
      if ((traceFlags & TraceFlags.SAMPLED) !== 0 || span.attributes[KEEP_FAILURES] !== true) return;
      if (traces.has(traceId)) return;
      if (traces.size >= MAX_TRACES) forgetOldest();
      traces.set(traceId, { spanId, spans: [], kept: false });
    },
    onEnd(span: ReadableSpan) {
      const { traceId, spanId, traceFlags } = span.spanContext();
      if ((traceFlags & TraceFlags.SAMPLED) !== 0) return next.onEnd(span);
      const trace = traces.get(traceId);
      if (trace === undefined) return;
      if (span.status.code === SpanStatusCode.ERROR || span.attributes[KEEP] === true) trace.kept = true;
      if (trace.spanId === spanId) {
        forget(traceId);
        if (trace.kept) for (const each of [...trace.spans, span]) next.onEnd(sampled(each));
        return;
      }
      if (trace.spans.length >= MAX_SPANS) return;
      trace.spans.push(span);
      held += 1;
      if (held > MAX_HELD) forgetOldest();
    },
    forceFlush: () => next.forceFlush(),
    shutdown: () => next.shutdown(),
  };
}

/** The same span with the sampled flag, without which a processor ignores it. */
function sampled(span: ReadableSpan): ReadableSpan {
  const context = { ...span.spanContext(), traceFlags: span.spanContext().traceFlags | TraceFlags.SAMPLED };
  return Object.create(span, { spanContext: { value: () => context } }) as ReadableSpan;
}

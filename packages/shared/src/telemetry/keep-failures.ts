import { type Context, SpanStatusCode, TraceFlags } from '@opentelemetry/api';
import type { ReadableSpan, Span, SpanProcessor } from '@opentelemetry/sdk-trace';
import { KEEP_FAILURES } from './sampler.ts';

/** Traces that are looked at at the same time; spans of more are dropped, as if nothing had failed in them. */
const MAX_TRACES = 1_000;
/** Spans held of one trace: a transaction has about ten, one that isolates bad events some hundreds. */
const MAX_SPANS = 1_000;

/**
 * Hands sampled spans on at once. Spans that are recorded without being sampled are held until the span with
 * `sluice.keep_failures` above them ends: when one of them failed, all are handed on as if they had been sampled, else
 * they are forgotten. So a transaction that fails is in Jaeger at any ratio.
 */
export function keepFailures(next: SpanProcessor): SpanProcessor {
  /** By trace id. */
  const held = new Map<string, ReadableSpan[]>();
  return {
    onStart(span: Span, context: Context) {
      next.onStart(span, context);
      const { traceId, traceFlags } = span.spanContext();
      if ((traceFlags & TraceFlags.SAMPLED) !== 0 || span.attributes[KEEP_FAILURES] !== true) return;
      if (held.size < MAX_TRACES && !held.has(traceId)) held.set(traceId, []);
    },
    onEnd(span: ReadableSpan) {
      const { traceId, traceFlags } = span.spanContext();
      if ((traceFlags & TraceFlags.SAMPLED) !== 0) return next.onEnd(span);
      const spans = held.get(traceId);
      if (spans === undefined) return;
      if (spans.length < MAX_SPANS) spans.push(span);
      if (span.attributes[KEEP_FAILURES] !== true) return;
      held.delete(traceId);
      if (spans.some(({ status }) => status.code === SpanStatusCode.ERROR))
        for (const each of spans) next.onEnd(sampled(each));
    },
    forceFlush: () => next.forceFlush(),
    shutdown: () => next.shutdown(),
  };
}

/** The same span, with the flag that makes a processor take it. */
function sampled(span: ReadableSpan): ReadableSpan {
  const context = { ...span.spanContext(), traceFlags: span.spanContext().traceFlags | TraceFlags.SAMPLED };
  return Object.create(span, { spanContext: { value: () => context } }) as ReadableSpan;
}

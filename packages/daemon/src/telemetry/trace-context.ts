import {
  context,
  type Context,
  isSpanContextValid,
  type Link,
  type Span,
  type SpanContext,
  trace,
} from '@opentelemetry/api';
import { parseTraceParent } from '@opentelemetry/core';

/** The W3C `traceparent` of a span, for what is done in its name elsewhere; null while tracing is off. */
export function traceparentOf(span: Span | undefined): string | null {
  const found = span?.spanContext();
  if (found === undefined || !isSpanContextValid(found)) return null;
  return `00-${found.traceId}-${found.spanId}-${found.traceFlags.toString(16).padStart(2, '0')}`;
}

/** Of the span that is active now. */
export function activeTraceparent(): string | null {
  return traceparentOf(trace.getActiveSpan());
}

/** What a `traceparent` points at; null for none and for one that is not valid. */
export function spanContextOf(traceparent: string | null | undefined): SpanContext | null {
  const parsed = traceparent === null || traceparent === undefined ? null : parseTraceParent(traceparent);
  return parsed === null ? null : { ...parsed, isRemote: true };
}

/** Links to the spans that these `traceparent`s point at, each once; those that are not valid are left out. */
export function linksTo(traceparents: Iterable<string | null | undefined>): Link[] {
  const links = new Map<string, Link>();
  for (const traceparent of traceparents) {
    const found = spanContextOf(traceparent);
    if (found !== null) links.set(`${found.traceId}${found.spanId}`, { context: found });
  }
  return [...links.values()];
}

/** A context whose spans are children of what a `traceparent` points at; one without parent when it is not valid. */
export function contextOf(traceparent: string | null | undefined): Context {
  const found = spanContextOf(traceparent);
  const none = trace.deleteSpan(context.active());
  return found === null ? none : trace.setSpanContext(none, found);
}

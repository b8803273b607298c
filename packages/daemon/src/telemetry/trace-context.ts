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

/** The W3C `traceparent` of a span, for work on its behalf elsewhere; null while tracing is off. */
export function traceparentOf(span: Span | undefined): string | null {
  const found = span?.spanContext();
  if (found === undefined || !isSpanContextValid(found)) return null;
  return `00-${found.traceId}-${found.spanId}-${found.traceFlags.toString(16).padStart(2, '0')}`;
}

/** The `traceparent` of the active span; null while tracing is off. */
export function activeTraceparent(): string | null {
  return traceparentOf(trace.getActiveSpan());
}

/** Reads a `traceparent`; null for none and for an invalid one. */
export function spanContextOf(traceparent: string | null | undefined): SpanContext | null {
  const parsed = traceparent === null || traceparent === undefined ? null : parseTraceParent(traceparent);
  return parsed === null ? null : { ...parsed, isRemote: true };
}

/** Links to the spans of these `traceparent`s, each once. Invalid ones are left out. */
export function linksTo(traceparents: Iterable<string | null | undefined>): Link[] {
  const links = new Map<string, Link>();
  for (const traceparent of traceparents) {
    const found = spanContextOf(traceparent);
    if (found !== null) links.set(`${found.traceId}${found.spanId}`, { context: found });
  }
  return [...links.values()];
}

/** A context whose spans are children of this `traceparent`; without a parent when it is invalid. */
export function contextOf(traceparent: string | null | undefined): Context {
  const found = spanContextOf(traceparent);
  const none = trace.deleteSpan(context.active());
  return found === null ? none : trace.setSpanContext(none, found);
}

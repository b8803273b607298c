import type { IncomingMessage } from 'node:http';
import type { Context, Span, TextMapGetter, TextMapPropagator, TextMapSetter } from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { linksTo } from './trace-context.ts';

/**
 * Reads the trace context of requests, or ignores it. On a public endpoint no client should choose trace ids or what is
 * sampled; spans then link to the client's trace instead.
 */
export function clientTraces(clients: 'continue' | 'link'): TextMapPropagator {
  const w3c = new W3CTraceContextPropagator();
  return {
    inject: (context: Context, carrier: unknown, setter: TextMapSetter) => w3c.inject(context, carrier, setter),
    extract: (context: Context, carrier: unknown, getter: TextMapGetter) =>
      clients === 'continue' ? w3c.extract(context, carrier, getter) : context,
    fields: () => w3c.fields(),
  };
}

/** Links a request's span to its client's trace. */
export function linkToClient(span: Span, request: IncomingMessage): void {
  const { traceparent } = request.headers;
  if (typeof traceparent === 'string') span.addLinks(linksTo([traceparent]));
}

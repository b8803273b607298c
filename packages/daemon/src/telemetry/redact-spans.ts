import { SpanStatusCode } from '@opentelemetry/api';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace';
import { redactText } from '../log/redact-text.ts';

/** Redacts the errors of spans as the log does: `redactText` of each message and stack. */
export function redactSpans(exporter: SpanExporter): SpanExporter {
  return {
    export: (spans, done) => exporter.export(spans.map(redacted), done),
    forceFlush: async () => exporter.forceFlush?.(),
    shutdown: () => exporter.shutdown(),
  };
}

function redacted(span: ReadableSpan): ReadableSpan {
  const { status, events } = span;
  if (status.code !== SpanStatusCode.ERROR && events.length === 0) return span;
  const redactedEvents = events.map((event) => ({
    ...event,
    attributes: Object.fromEntries(
      Object.entries(event.attributes ?? {}).map(([name, value]) => [
        name,
        typeof value === 'string' ? redactText(value) : value,
      ]),
    ),
  }));
  const message = status.message === undefined ? {} : { message: redactText(status.message) };
  return Object.create(span, {
    status: { value: { ...status, ...message } },
    events: { value: redactedEvents },
  }) as ReadableSpan;
}

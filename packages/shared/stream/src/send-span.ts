import { type Attributes, type Link, type Span, SpanKind } from '@opentelemetry/api';
import type { SpanStart } from '@sluice/daemon/telemetry/in-span';

/** Name of the span around adding events to the stream. */
export const SEND_EVENTS = 'send events';

/** What is added to the stream. */
export interface Sending {
  readonly events: number;
  /** What this daemon adds to the attributes that every `send events` has. */
  readonly attributes: Attributes;
  /** Links to the spans that caused it, where they are not its parents. */
  readonly links?: Link[];
}

/**
 * Describes a span `send events` by OpenTelemetry's conventions for messaging. Put its context into the header of the
 * entries, and pass the span to the producer, which knows the shard.
 */
export function sendSpan({ events, attributes, links = [] }: Sending): Omit<SpanStart, 'parent'> {
  return {
    kind: SpanKind.PRODUCER,
    links,
    attributes: {
      'messaging.system': 'redis',
      'messaging.operation.name': 'send',
      'messaging.operation.type': 'send',
      'messaging.destination.name': 'events',
      'messaging.batch.message_count': events,
      'db.system.name': 'redis',
      ...attributes,
    },
  };
}

/** Records the shard of the entries. */
export function setShard(span: Span, shard: number): void {
  span.setAttribute('messaging.destination.partition.id', String(shard));
}

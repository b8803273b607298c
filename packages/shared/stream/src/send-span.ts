import { type Attributes, type Link, type Span, SpanKind } from '@opentelemetry/api';
import type { SpanStart } from '@sluice/daemon/telemetry/in-span';

/** Name of the span around putting events on the stream. */
export const SEND_EVENTS = 'send events';

/** What is put on the stream. */
export interface Sending {
  readonly events: number;
  /** What this daemon knows of it, beside what every `send events` says. */
  readonly attributes: Attributes;
  /** To what it comes from, when that is not around it. */
  readonly links?: Link[];
}

/**
 * What a span `send events` starts with, by OpenTelemetry's conventions for messaging. Its context belongs into the
 * header of the entries; give it to the producer, which knows their shard.
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

/** Says on which shard's stream the entries are. */
export function setShard(span: Span, shard: number): void {
  span.setAttribute('messaging.destination.partition.id', String(shard));
}

import { type Attributes, context, SpanKind, SpanStatusCode, trace, TraceFlags } from '@opentelemetry/api';
import { type SpanStart, tracer } from '@sluice/daemon/telemetry/in-span';
import { KEEP, KEEP_FAILURES } from '@sluice/daemon/telemetry/sampler';
import { contextOf, linksTo, spanContextOf, traceparentOf } from '@sluice/daemon/telemetry/trace-context';
import type { NewDeadLetter } from '@sluice/store/write/dead-letter';
import { WRITERS_GROUP } from '@sluice/stream/stream-keys';
import type { Batch } from '../batch/batch-buffer.ts';

/** OpenTelemetry's messaging attributes. The destination is the stream of all shards. */
function messaging(operation: string, entries: number): Attributes {
  return {
    'messaging.system': 'redis',
    'messaging.operation.name': operation,
    'messaging.operation.type': operation,
    'messaging.destination.name': 'events',
    'messaging.consumer.group.name': WRITERS_GROUP,
    'messaging.batch.message_count': entries,
  };
}

/** When the first entry of a batch was read, by `performance.now()`. */
function readAt(entries: Batch['entries']): number {
  return entries.reduce((first, { decoding }) => Math.min(first, decoding.from), Infinity);
}

/**
 * How the span of a transaction starts: in a trace of its own, since it serves many requests, with a link to each. It is
 * retained at any sampling ratio when something in it fails, even when a later try succeeds.
 */
export function processEvents(batch: Batch): SpanStart {
  const links = linksTo(new Set(batch.entries.map((entry) => entry.traceparent)));
  return {
    kind: SpanKind.CONSUMER,
    root: true,
    startTime: readAt(batch.entries),
    links,
    attributes: {
      ...messaging('process', batch.entries.length),
      'sluice.entries': batch.entries.length,
      'sluice.events': batch.eventCount,
      'sluice.links': links.length,
      [KEEP_FAILURES]: true,
    },
  };
}

/** Records the span of decoding as a child of the active span. Decoding was done entry by entry, before the batch. */
export function recordDecoding({ entries }: Batch): void {
  const startTime = readAt(entries);
  const last = entries.reduce((end, { decoding }) => Math.max(end, decoding.to), startTime);
  const busy = entries.reduce((sum, { decoding }) => sum + decoding.to - decoding.from, 0);
  const attributes = { 'sluice.entries': entries.length, 'sluice.decode.busy_ms': Math.round(busy * 1000) / 1000 };
  tracer().startSpan('decode events', { startTime, attributes }).end(last);
}

/** A step of processing a batch, by the name of its span. */
export type Step = 'write events' | 'isolate events' | 'settle events';

/**
 * How the span of a step starts.
 *
 * @param attempt number of the try, from 1
 */
export function stepSpan(step: Step, { entries, eventCount }: Batch, attempt: number): SpanStart {
  return step === 'settle events'
    ? { kind: SpanKind.CLIENT, attributes: messaging('settle', entries.length) }
    : { attributes: { 'sluice.attempt': attempt, 'sluice.events': eventCount } };
}

/**
 * Records a span for each request whose trace is sampled, in that trace, with a link to the transaction (the active span).
 * A viewer shows a link only where it starts, and a reader of the request's trace must find the commit. Call it only
 * after COMMIT.
 */
export function recordStored({ entries }: Batch): void {
  const links = linksTo([traceparentOf(trace.getActiveSpan())]);
  if (links.length === 0) return;
  const startTime = readAt(entries);
  for (const [traceparent, own] of Map.groupBy(entries, (entry) => entry.traceparent)) {
    const sender = spanContextOf(traceparent);
    if (sender === null || (sender.traceFlags & TraceFlags.SAMPLED) === 0) continue;
    const events = own.reduce((sum, entry) => sum + entry.events.length, 0);
    const attributes = { 'sluice.entries': own.length, 'sluice.events': events };
    tracer().startSpan('store events', { startTime, links, attributes }, contextOf(traceparent)).end();
  }
}

/**
 * Records a span for each new dead letter, in the trace of the request that sent the event, with a link to the
 * transaction (the active span). Call it only after COMMIT: before it there is no dead letter.
 */
export function recordDeadLetters(letters: readonly NewDeadLetter[]): void {
  const links = linksTo([traceparentOf(trace.getActiveSpan())]);
  for (const { id, reason, sqlstate, message, eventId, traceparent } of letters) {
    const span = tracer().startSpan(
      'dead-letter event',
      {
        links,
        attributes: {
          'sluice.dead_letter.id': id,
          'sluice.dead_letter.reason': reason,
          ...(sqlstate === null ? {} : { 'db.response.status_code': sqlstate }),
          ...(eventId === null ? {} : { 'sluice.event.id': eventId }),
          [KEEP]: true,
        },
      },
      spanContextOf(traceparent) === null ? context.active() : contextOf(traceparent),
    );
    span.setStatus({ code: SpanStatusCode.ERROR, message });
    span.end();
  }
}

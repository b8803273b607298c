import type { Span } from '@opentelemetry/api';
import { failSpan, tracer } from '@sluice/daemon/telemetry/in-span';
import { activeTraceparent, linksTo, traceparentOf } from '@sluice/daemon/telemetry/trace-context';
import type { ReplayedEntry } from '@sluice/stream/replay-entry';
import { SEND_EVENTS, sendSpan } from '@sluice/stream/send-span';
import { encodeEntry } from '@sluice/stream/stream-entry';
import type { StreamProducer } from '@sluice/stream/stream-producer';

/**
 * Puts the events of dead letters back on the stream. Each is sent in a span of its own that links to the trace of the
 * event; the writer's transaction links to that span. The header keeps the trace context of the first request, which is
 * stored with the event.
 *
 * @param mostSpans dead letters beyond these have no span; the writer's work on them links to the surrounding span
 * @throws what the producer throws; some of the dead letters may be on the stream then
 */
export async function sendLetters(
  letters: readonly ReplayedEntry[],
  producer: StreamProducer,
  mostSpans: number,
): Promise<void> {
  const around = activeTraceparent();
  const spans = letters.slice(0, Math.max(0, mostSpans)).map(startSpan);
  const entries = letters.map(({ header, body }, at) => {
    const sentBy = traceparentOf(spans[at]) ?? around ?? undefined;
    return encodeEntry({ ...header, sentBy }, body);
  });
  try {
    await producer.add(entries, spans);
  } catch (error) {
    for (const span of spans) failSpan(span, error);
    throw error;
  } finally {
    for (const span of spans) span.end();
  }
}

function startSpan({ letter, header }: ReplayedEntry): Span {
  const { batchId, tenant, source, traceparent } = header;
  const attributes = {
    'sluice.dead_letter.id': letter,
    'sluice.batch.id': batchId,
    'sluice.tenant': tenant,
    'sluice.source': source,
  };
  return tracer().startSpan(SEND_EVENTS, sendSpan({ events: 1, attributes, links: linksTo([traceparent]) }));
}

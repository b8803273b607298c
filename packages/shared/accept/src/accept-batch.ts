import { randomUUID } from 'node:crypto';
import { ApiError } from '@sluice/errors/api-errors';
import type { EventAdapter } from '@sluice/events/adapters/event-adapter';
import { batchIdFromKey } from '@sluice/events/event-id';
import { locateEvents } from '@sluice/events/json/locate-events';
import type { Durability } from '@sluice/stream/durability';
import { SEND_EVENTS, sendSpan } from '@sluice/stream/send-span';
import { inSpan } from '@sluice/daemon/telemetry/in-span';
import { traceparentOf } from '@sluice/daemon/telemetry/trace-context';
import { cutEntries, fitsOneEntry } from './cut-entries.ts';
import type { IngestMetrics } from './ingest-metrics.ts';
import type { Queue } from './queue.ts';
import { type EventWarning, type RejectedEvent, validateEvents, type Verdict } from './validate-events.ts';

/** The body of a request, and what is known of it. */
export interface BatchBody {
  readonly body: Buffer;
  readonly eventCount: number;
  /** Null when every event is known to be fine, see `countPlainEvents`. */
  readonly parsed: { readonly events: readonly unknown[]; readonly text: string } | null;
}

/** A request, as far as the pipeline is concerned. */
export interface IncomingBatch extends BatchBody {
  readonly requestId: string;
  readonly adapter: EventAdapter;
  readonly tenant: string;
  readonly idempotencyKey: string | null;
  readonly clientIp: string | null;
  /** The client's own. */
  readonly traceparent: string | null;
  readonly receivedAt: Date;
  readonly maxEventBytes: number;
}

/** What the client is told of its batch. */
export interface AcceptedResult {
  readonly batchId: string;
  readonly accepted: number;
  readonly rejected: readonly RejectedEvent[];
  readonly warnings: readonly EventWarning[];
  /** Null when nothing was accepted and so nothing was queued. */
  readonly durability: Durability | null;
}

/** On events that need no look at each. */
const ALL_FINE: Verdict = { rejected: [], warnings: [] };

/** Validates a batch, cuts it into entries and puts them on the stream: all that ingest does. */
export async function acceptBatch(
  batch: IncomingBatch,
  { queue, metrics }: { queue: Queue; metrics: IngestMetrics },
): Promise<AcceptedResult> {
  const { adapter, body, eventCount, parsed, tenant } = batch;
  const { source } = adapter;
  const mayBeTooLarge = parsed !== null && body.length > batch.maxEventBytes && source === 'governance-tracker';
  const spans = mayBeTooLarge || !fitsOneEntry(body, eventCount) ? locateEvents(body) : null;
  const verdict =
    parsed === null
      ? ALL_FINE
      : validateEvents(parsed.events, parsed.text, {
          adapter,
          tenant,
          receivedAt: batch.receivedAt.getTime(),
          maxEventBytes: batch.maxEventBytes,
          spans,
        });
  const batchId = batch.idempotencyKey === null ? randomUUID() : batchIdFromKey(tenant, batch.idempotencyKey);
  const accepted = eventCount - verdict.rejected.length;
  if (accepted === 0) {
    metrics.rejected(verdict.rejected);
    return { batchId, accepted, ...verdict, durability: null };
  }
  const attributes = { 'sluice.batch.id': batchId, 'sluice.tenant': tenant, 'sluice.source': source };
  const durability = await inSpan(SEND_EVENTS, sendSpan({ events: accepted, attributes }), async (span) => {
    const entries = cutEntries({
      body,
      eventCount,
      rejected: verdict.rejected.map((each) => each.index),
      locate: () => spans ?? locateEvents(body),
      header: {
        source,
        tenant,
        batchId,
        clientIp: batch.clientIp,
        receivedAt: batch.receivedAt.toISOString(),
        // The writer's transaction links to this span; with tracing off it is the client's that goes on.
        traceparent: traceparentOf(span) ?? batch.traceparent,
      },
    });
    span.setAttribute('sluice.entries', entries.length);
    const reached = await queue.add(entries, batch.requestId, span);
    span.setAttribute('sluice.durability', reached);
    return reached;
  });
  // Only now: a batch that Redis did not take is sent again, and would be counted twice.
  metrics.accepted({ source, events: eventCount, accepted });
  metrics.rejected(verdict.rejected);
  return { batchId, accepted, ...verdict, durability };
}

/** Longest `Idempotency-Key`, in characters. */
const MAX_KEY_CHARS = 255;

/**
 * The request's `Idempotency-Key`: a resend with the same one gets the same event ids.
 *
 * @throws ApiError `invalid_request` for one that is empty, long or not printable ASCII
 */
export function idempotencyKeyOf(header: string | string[] | undefined): string | null {
  if (header === undefined) return null;
  if (typeof header === 'string' && header.length <= MAX_KEY_CHARS && /^[\x21-\x7e]+$/.test(header)) return header;
  throw new ApiError(
    'invalid_request',
    `Idempotency-Key must be 1 to ${MAX_KEY_CHARS} printable ASCII characters without spaces.`,
  );
}

/** The request's W3C trace context, if it has a valid one; it travels with the events. */
export function clientTraceparent(header: string | string[] | undefined): string | null {
  return typeof header === 'string' && /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/.test(header)
    ? header
    : null;
}

import { randomUUID } from 'node:crypto';
import { inSpan } from '@sluice/daemon/telemetry/in-span';
import { traceparentOf } from '@sluice/daemon/telemetry/trace-context';
import { ApiError } from '@sluice/errors/api-errors';
import type { EventWarning, ReadBatch, RejectedEvent } from '@sluice/events/adapters/door';
import type { RejectionCode } from '@sluice/events/adapters/event-adapter';
import { batchDigest, batchIdFromKey, type KeyedRequest } from '@sluice/events/event-id';
import type { EventSpan } from '@sluice/events/json/locate-events';
import type { Durability } from '@sluice/stream/durability';
import { SEND_EVENTS, sendSpan } from '@sluice/stream/send-span';
import { cutEntries, fitsOneEntry } from './cut-entries.ts';
import type { IdempotencyKeys } from './idempotency-keys.ts';
import type { IngestMetrics } from './ingest-metrics.ts';
import type { Queue } from './queue.ts';
import { storableEnvelope } from './storable-envelope.ts';
import { validateEvents, type Verdict } from './validate-events.ts';

/** What the pipeline needs of a request. It carries no key, so that nothing here can leak one. */
export interface IncomingBatch extends Pick<ReadBatch, 'adapter' | 'body' | 'eventCount' | 'parsed' | 'envelope'> {
  readonly requestId: string;
  readonly tenant: string;
  /** The request's `Idempotency-Key` and the route for which it counts, such as `POST /api/events`. */
  readonly idempotencyKey: { readonly key: string; readonly route: string } | null;
  readonly clientIp: string | null;
  /** The client's own W3C trace context. */
  readonly traceparent: string | null;
  readonly receivedAt: Date;
  readonly maxEventBytes: number;
}

/** What became of a batch. */
export interface AcceptedResult {
  readonly batchId: string;
  readonly accepted: number;
  readonly rejected: readonly RejectedEvent[];
  readonly warnings: readonly EventWarning[];
  /** Null when no event was accepted, so that nothing was queued. */
  readonly durability: Durability | null;
}

/** Rejections of events that no later reader must meet: it may walk what it parsed, or copy its properties. */
const UNSAFE_TO_PARSE: ReadonlySet<RejectionCode> = new Set(['nesting_too_deep', 'forbidden_property']);

/** The verdict on a body that the fast scan accepted. */
const ALL_FINE: Verdict = { rejected: [], warnings: [] };

/**
 * Validates a batch, cuts it into entries and puts them on the stream.
 *
 * @throws ApiError for what is wrong with the whole request; `queue_unavailable`; and `entries_incomplete`, before
 *   anything is queued, when the entries do not hold exactly the events that the answer would call accepted
 */
export async function acceptBatch(
  batch: IncomingBatch,
  { queue, metrics, idempotencyKeys }: { queue: Queue; metrics: IngestMetrics; idempotencyKeys: IdempotencyKeys },
): Promise<AcceptedResult> {
  const { adapter, body, eventCount, parsed, tenant } = batch;
  const { source } = adapter;
  const envelope = storableEnvelope(batch.envelope);
  let spans: readonly EventSpan[] | null = null;
  const locate = (): readonly EventSpan[] => {
    spans ??= adapter.locate(body);
    proveWhole(source, 'are located', spans.length, eventCount);
    return spans;
  };
  if (!fitsOneEntry(body, eventCount)) locate();
  if (parsed !== null) proveWhole(source, 'are parsed', parsed.events.length, eventCount);
  const verdict =
    parsed === null
      ? ALL_FINE
      : validateEvents(parsed.events, parsed.text, {
          adapter,
          tenant,
          receivedAt: batch.receivedAt.getTime(),
          maxEventBytes: batch.maxEventBytes,
          body,
          locate,
        });
  const keyed = keyedRequest(batch);
  const batchId = keyed === null ? randomUUID() : batchIdFromKey(keyed);
  const accepted = eventCount - verdict.rejected.length;
  if (accepted === 0) {
    metrics.rejected(verdict.rejected);
    return { batchId, accepted, ...verdict, durability: null };
  }
  // Not before: a client may correct a batch that was refused, and keep its key.
  if (keyed !== null) await idempotencyKeys.claim(keyed);
  const attributes = { 'sluice.batch.id': batchId, 'sluice.tenant': tenant, 'sluice.source': source };
  const durability = await inSpan(SEND_EVENTS, sendSpan({ events: accepted, attributes }), async (span) => {
    const cut = cutEntries({
      adapter,
      body,
      eventCount,
      rejected: verdict.rejected.map((each) => each.index),
      withoutRejected: verdict.rejected.some(({ code }) => UNSAFE_TO_PARSE.has(code)),
      locate,
      header: {
        source,
        tenant,
        batchId,
        clientIp: batch.clientIp,
        receivedAt: batch.receivedAt.toISOString(),
        // The writer's transaction links to this span; with tracing off, to the client's.
        traceparent: traceparentOf(span) ?? batch.traceparent,
        envelope,
      },
    });
    proveWhole(source, 'are in the entries', cut.accepted, accepted);
    span.setAttribute('sluice.entries', cut.entries.length);
    const reached = await queue.add(cut.entries, batch.requestId, span);
    span.setAttribute('sluice.durability', reached);
    return reached;
  });
  // Counted last: the client sends a batch again that Redis did not accept, and it would be counted twice.
  metrics.accepted({ source, events: eventCount, accepted });
  metrics.rejected(verdict.rejected);
  return { batchId, accepted, ...verdict, durability };
}

/** The request as its ids and its fingerprint depend on it; null without an `Idempotency-Key`. */
function keyedRequest({ tenant, idempotencyKey, body, envelope }: IncomingBatch): KeyedRequest | null {
  return idempotencyKey === null ? null : { ...idempotencyKey, tenant, digest: batchDigest(body, envelope) };
}

/**
 * Fails unless a step found the expected number of events. A 202 promises that number. An adapter that finds fewer of
 * them in the bytes than in the parsed body would lose events silently: the client keeps no copy of what was accepted.
 */
function proveWhole(source: string, where: string, found: number, expected: number): void {
  if (found === expected) return;
  throw new ApiError(
    'entries_incomplete',
    `Of ${expected} events of a ${source} batch ${found} ${where}. Nothing was queued.`,
  );
}

/** Longest `Idempotency-Key`, in characters. */
const MAX_KEY_CHARS = 255;

/**
 * Reads the request's `Idempotency-Key`. A resend with the same key gets the same event ids.
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

/** Reads the request's W3C trace context, which travels with the events; null for none, or an invalid one. */
export function clientTraceparent(header: string | string[] | undefined): string | null {
  return typeof header === 'string' && /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/.test(header)
    ? header
    : null;
}

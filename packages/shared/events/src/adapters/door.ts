import type { ApiError } from '@sluice/errors/api-errors';
import type { Durability } from '../durability-levels.ts';
import type { CHARACTERS_REPLACED } from '../json/unstorable-text.ts';
import type { DoorRequest } from './door-request.ts';
import type { Envelope, EventAdapter, PlainLimits, Rejection } from './event-adapter.ts';
import type { KeyPlace } from './key-places.ts';

/**
 * One way into ingest: the route, how a request is read, and the answer that its client understands. A wire shape has a
 * door for each path and encoding that its clients use. Doors know no server: ingest mounts every door of the registry.
 */
export interface Door {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** Of the bodies that are read, whatever is in them; none for a door without a body. */
  readonly mediaTypes: readonly string[];
  /** Largest body: that of a batch (MAX_BODY_BYTES) or of an event (MAX_EVENT_BYTES), after decompression. */
  readonly bodyLimit: 'batch' | 'event';
  /** Where a key is looked for, in this order. */
  readonly keys: readonly KeyPlace[];
  /** True where a request without a key may name a site of COLLECT_SITES instead. */
  readonly sites: boolean;
  /** OpenAPI of the route. */
  readonly schema: Readonly<Record<string, unknown>>;

  /**
   * Makes a batch of a request. A body whose events can be cut out of it stays as it is, byte for byte. Any other (a
   * form, protobuf, a query string, headers, a key among the events) becomes JSON of the adapter's shape here, once.
   *
   * @throws ApiError for what condemns the whole request
   */
  read(this: void, request: DoorRequest, limits: ReadLimits): ReadBatch;
  /** The answer to a batch of which at least one event is on the stream. */
  answer(this: void, outcome: BatchOutcome): Answer;
  /** The answer to a batch without a valid event; without this it is the error `no_valid_events`. */
  answerNoneValid?(this: void, outcome: BatchOutcome): Answer;
  /** The answer to a request that failed; without this it is Sluice's own `{"error":{…}}`. */
  answerError?(this: void, error: ApiError): Answer;
}

/** What reading needs to know besides the request. */
export interface ReadLimits extends PlainLimits {
  /** Milliseconds since 1970. */
  readonly receivedAt: number;
}

/** The batch that a door found in a request. */
export interface ReadBatch {
  /** The shape of the body: one door may take several, one batch is of one. */
  readonly adapter: EventAdapter;
  /** JSON of that shape, as it goes on to the stream. It holds no key. */
  readonly body: Buffer;
  readonly eventCount: number;
  /** The same parsed, and as text; null when every event is known to be fine, see `countPlain`. */
  readonly parsed: { readonly events: readonly unknown[]; readonly text: string } | null;
  /** A key that came in the body. It is compared and forgotten. */
  readonly key?: string | undefined;
  /** The site that the body names, and the property that does. */
  readonly site?: { readonly property: string; readonly value: unknown } | undefined;
  /** The tenant that the body names beside its events. */
  readonly namedTenant?: unknown;
  readonly envelope?: Envelope | undefined;
}

/** One line of `errors` in an answer. */
export interface RejectedEvent extends Rejection {
  readonly index: number;
  readonly event_id: string | null;
}

/** One line of `warnings`: an event that is accepted, but stored not quite as it was sent. */
export interface EventWarning {
  readonly index: number;
  readonly code: typeof CHARACTERS_REPLACED;
  readonly message: string;
}

/** What became of a batch, as far as an answer may tell. */
export interface BatchOutcome {
  readonly request: DoorRequest;
  readonly batch: ReadBatch;
  readonly requestId: string;
  readonly tenant: string;
  readonly batchId: string;
  readonly accepted: number;
  readonly rejected: readonly RejectedEvent[];
  readonly warnings: readonly EventWarning[];
  /** Null when nothing was accepted and so nothing is on the stream. */
  readonly durability: Durability | null;
  readonly receivedAt: Date;
  /** Time since the request came in, in milliseconds. */
  readonly elapsedMs: number;
}

/** An answer as data. An object becomes JSON. */
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: object | string | Buffer;
}

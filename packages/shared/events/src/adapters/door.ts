import type { ApiError } from '@sluice/errors/api-errors';
import type { Durability } from '../durability-levels.ts';
import type { CHARACTERS_REPLACED } from '../json/unstorable-text.ts';
import type { DoorRequest } from './door-request.ts';
import type { Envelope, EventAdapter, PlainLimits, Rejection } from './event-adapter.ts';
import type { KeyPlace } from './key-places.ts';

/**
 * One way into ingest: the route, how a request is read, and the answer that its client understands. A wire shape has a
 * door for each path and encoding that its clients use. A door knows no server: ingest mounts every door of the registry.
 */
export interface Door {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** Media types of the bodies that are read, whatever they contain; empty for a door without a body. */
  readonly mediaTypes: readonly string[];
  /** Largest body: that of a batch (MAX_BODY_BYTES) or of an event (MAX_EVENT_BYTES), after decompression. */
  readonly bodyLimit: 'batch' | 'event';
  /** Where a key may be, in the order of the search. */
  readonly keys: readonly KeyPlace[];
  /** Whether a request without a key may name a site of COLLECT_SITES instead. */
  readonly sites: boolean;
  /** OpenAPI of the route. */
  readonly schema: Readonly<Record<string, unknown>>;

  /**
   * Reads a batch from a request. A body whose events can be cut out of it stays as it is, byte for byte. Any other (a
   * form, protobuf, a query string, headers, a key among the events) becomes JSON of the adapter's shape here, once.
   *
   * @throws ApiError for what is wrong with the whole request
   */
  read(this: void, request: DoorRequest, limits: ReadLimits): ReadBatch;
  /** The answer to a batch with at least one event on the stream. */
  answer(this: void, outcome: BatchOutcome): Answer;
  /** The answer to a batch without a valid event. The default is the error `no_valid_events`. */
  answerNoneValid?(this: void, outcome: BatchOutcome): Answer;
  /** The answer to a request that failed. The default is Sluice's own `{"error":{…}}`. */
  answerError?(this: void, error: ApiError): Answer;
}

/** What a door needs besides the request. */
export interface ReadLimits extends PlainLimits {
  /** Milliseconds since 1970. */
  readonly receivedAt: number;
}

/** The batch that a door found in a request. */
export interface ReadBatch {
  /** The shape of the body. A door may accept several shapes; a batch has one. */
  readonly adapter: EventAdapter;
  /** JSON of that shape, as it is put on the stream. It holds no key. */
  readonly body: Buffer;
  readonly eventCount: number;
  /** The same, parsed and as text; null when every event is known to be valid, see `countPlain`. */
  readonly parsed: { readonly events: readonly unknown[]; readonly text: string } | null;
  /** A key that was in the body. It is compared and forgotten. */
  readonly key?: string | undefined;
  /** The site that the body names, and the property that names it. */
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

/** One line of `warnings`: an event that is accepted, but stored with a change. */
export interface EventWarning {
  readonly index: number;
  readonly code: typeof CHARACTERS_REPLACED;
  readonly message: string;
}

/** The result for a batch, as far as an answer may tell it. */
export interface BatchOutcome {
  readonly request: DoorRequest;
  readonly batch: ReadBatch;
  readonly requestId: string;
  readonly tenant: string;
  readonly batchId: string;
  readonly accepted: number;
  readonly rejected: readonly RejectedEvent[];
  readonly warnings: readonly EventWarning[];
  /** Null when no event was accepted, so that nothing is on the stream. */
  readonly durability: Durability | null;
  readonly receivedAt: Date;
  /** Time since the request arrived, in milliseconds. */
  readonly elapsedMs: number;
}

/** An HTTP answer as data. An object becomes JSON. */
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: object | string | Buffer;
}

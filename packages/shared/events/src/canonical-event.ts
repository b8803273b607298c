/**
 * The one shape that every event has after its adapter. Only adapters know how a client spelled it. The columns in
 * Postgres are the snake_case of these names.
 */
export interface CanonicalEvent {
  /** Whose event it is. */
  readonly tenant: string;
  /** Lower-case UUID: the client's own, or derived from it, or from (batch id, index). */
  readonly eventId: string;
  /** Open set, at most 64 characters. */
  readonly eventType: string;
  /** The client's clock: ISO 8601 UTC, up to microseconds. */
  readonly occurredAt: string;
  /** When ingest accepted the request: ISO 8601 UTC, milliseconds. */
  readonly receivedAt: string;
  readonly actor: string | null;
  readonly sessionId: string | null;
  readonly correlationId: string | null;
  readonly resource: string | null;
  readonly clientIp: string | null;
  /** 32 hex digits of the W3C trace that the event arrived in. */
  readonly traceId: string | null;
  /** Name of the adapter that read it. */
  readonly source: string;
  /** What Sluice had to change so that Postgres can hold the event, e.g. `characters_replaced`. */
  readonly flags: readonly string[] | null;
  /** JSON text of an object: every property that has no column of its own. */
  readonly payload: string;
}

/** Longest `event_type`, in characters. */
export const MAX_EVENT_TYPE_CHARS = 64;

/**
 * Longest indexed string, in UTF-8 bytes. A btree row fails above 2,704 bytes, and it also holds the tenant and a time.
 */
export const MAX_INDEXED_BYTES = 512;

/** Deepest nesting inside an event. The event object itself is level 1. */
export const MAX_NESTING = 32;

/** How far an event's time may be ahead of the server's clock, in milliseconds. */
export const MAX_FUTURE_MS = 24 * 60 * 60 * 1000;

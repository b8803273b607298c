/** Errors of every HTTP API of Sluice. */
const COMMON_ERRORS = {
  malformed_json: { status: 400, meaning: 'The body is not JSON.' },
  invalid_encoding: { status: 400, meaning: 'The body is not UTF-8, or its compression is damaged.' },
  nesting_too_deep: { status: 400, meaning: 'Objects or arrays outside of the events are nested more than 32 deep.' },
  forbidden_property: { status: 400, meaning: 'A property outside of the events is called `__proto__`.' },
  invalid_body: { status: 400, meaning: 'The body is JSON but not of the shape that this endpoint accepts.' },
  invalid_request: { status: 400, meaning: 'A header, a query parameter or the request line is wrong.' },
  unauthorized: { status: 401, meaning: 'No API key, or one that is not known.' },
  forbidden: { status: 403, meaning: 'The key lacks the scope that the request needs; the message names it.' },
  tenant_mismatch: { status: 403, meaning: "The request names another tenant than the key's." },
  cross_site_request: {
    status: 403,
    meaning: 'The API runs open, and a page of another site sent a request that changes something.',
  },
  not_found: { status: 404, meaning: 'There is no such path, or nothing with this id that the key may see.' },
  method_not_allowed: { status: 405, meaning: 'The path exists, but not with this method.' },
  request_timeout: { status: 408, meaning: 'The client took too long to send its request.' },
  body_too_large: {
    status: 413,
    meaning: 'The body has more bytes than allowed, after decompression; for ingest MAX_BODY_BYTES.',
  },
  too_many_values: {
    status: 413,
    meaning: 'The body has more values than allowed: objects, arrays, texts, numbers, true, false and null.',
  },
  unsupported_media_type: { status: 415, meaning: 'The content type is not JSON, or the content encoding is unknown.' },
  misdirected_request: {
    status: 421,
    meaning: 'The API runs open, and the request names a host that is not in ALLOWED_HOSTS.',
  },
  rate_limited: {
    status: 429,
    meaning: 'The key has sent more requests than its limit, or one address has sent wrong keys; see `Retry-After`.',
  },
  headers_too_large: { status: 431, meaning: 'The request headers have more bytes than the server accepts.' },
  overloaded: {
    status: 503,
    meaning:
      'The bodies or answers that this instance holds in memory reached MAX_IN_FLIGHT_BYTES or UNREAD_BYTES; send again after `Retry-After` seconds.',
  },
  internal_error: { status: 500, meaning: 'A defect in Sluice; the log has the details under the request id.' },
  keys_unavailable: {
    status: 503,
    meaning: 'The key cannot be checked yet: this instance has not read the stored keys since it started.',
  },
  shutting_down: { status: 503, meaning: 'The daemon is stopping; send the request to another instance.' },
} as const;

/** Further errors of the ingest API. */
const INGEST_ERRORS = {
  compression_ratio_too_high: {
    status: 413,
    meaning: 'The body unpacks to more than 64 KiB and to more than 200 times its size.',
  },
  too_many_events: { status: 413, meaning: 'The batch has more events than MAX_BATCH_SIZE.' },
  idempotency_key_reused: {
    status: 422,
    meaning: 'The `Idempotency-Key` came with another body before, so nothing was queued.',
  },
  no_valid_events: {
    status: 422,
    meaning: 'No event of the batch is valid; `errors` says why, event by event.',
  },
  entries_incomplete: {
    status: 500,
    meaning: 'A defect in Sluice: not all accepted events would have reached the queue, so none did.',
  },
  queue_full: { status: 429, meaning: 'The backlog is over its limit; send again after `Retry-After` seconds.' },
  quota_exceeded: {
    status: 429,
    meaning: 'The key has sent more events than its quota; send again after `Retry-After` seconds.',
  },
  queue_unavailable: {
    status: 503,
    meaning: 'Redis cannot be reached, did not answer in time or refused the batch. Send it again with the same ids.',
  },
} as const;

/** Further errors of the query API. */
const QUERY_ERRORS = {
  conflict: {
    status: 409,
    meaning: 'The object of the request is in a state that does not allow it, or has changed meanwhile.',
  },
  event_rejected: { status: 422, meaning: 'The payload is not an event that ingest would accept; `errors` says why.' },
  too_many_streams: {
    status: 429,
    meaning: 'The key has as many live streams or downloads open as it may: TAIL_STREAMS_PER_KEY, or 10 of the others.',
  },
  unread_answers: {
    status: 429,
    meaning: "The tenant's answers that are not read yet would hold more than UNREAD_BYTES_PER_TENANT.",
  },
  database_unavailable: { status: 503, meaning: 'PostgreSQL cannot be reached, or accepts no work at the moment.' },
  schema_missing: {
    status: 503,
    meaning:
      'The database has no tables of Sluice, or search_path does not lead to them: /health of the query API says which.',
  },
  privilege_missing: { status: 503, meaning: "The role of DATABASE_URL lacks a privilege on Sluice's tables." },
  redis_unavailable: { status: 503, meaning: 'Redis cannot be reached, or refuses what the request needs.' },
  no_encryption_key: {
    status: 422,
    meaning: 'EXPORT_ENCRYPTION_KEYS is not set, so the credentials of an export cannot be stored.',
  },
  event_id_changed: { status: 422, meaning: 'The payload would give the event another id.' },
  query_timeout: { status: 504, meaning: 'PostgreSQL did not answer within STATEMENT_TIMEOUT_MS.' },
} as const;

/**
 * Every error code that a daemon answers with, its HTTP status and its meaning. `docs/reference/errors.md` lists the
 * same, and a test compares both. Tests of each daemon provoke each of its codes.
 */
export const API_ERRORS = { ...COMMON_ERRORS, ...INGEST_ERRORS, ...QUERY_ERRORS } as const;

export type ApiErrorCode = keyof typeof API_ERRORS;
export type IngestErrorCode = keyof typeof COMMON_ERRORS | keyof typeof INGEST_ERRORS;
export type QueryErrorCode = keyof typeof COMMON_ERRORS | keyof typeof QUERY_ERRORS;

/** The codes of each HTTP API. */
export const CODES_OF = {
  ingest: Object.keys({ ...COMMON_ERRORS, ...INGEST_ERRORS }) as IngestErrorCode[],
  query: Object.keys({ ...COMMON_ERRORS, ...QUERY_ERRORS }) as QueryErrorCode[],
};

/** An error that is answered to the client. Its code decides the HTTP status. */
export class ApiError extends Error {
  readonly code: ApiErrorCode;
  readonly statusCode: number;
  /** Seconds to wait before trying again; becomes the header `Retry-After`. */
  readonly retryAfter: number | undefined;

  constructor(code: ApiErrorCode, message: string, options: { retryAfter?: number; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'ApiError';
    this.code = code;
    this.statusCode = API_ERRORS[code].status;
    this.retryAfter = options.retryAfter;
  }
}

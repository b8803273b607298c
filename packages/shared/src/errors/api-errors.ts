/**
 * Every error code a daemon answers with, its HTTP status and what it means. `docs/errors.md` lists the
 * same; a test proves that both agree.
 */
export const API_ERRORS = {
  malformed_json: { status: 400, meaning: 'The body is not JSON.' },
  invalid_encoding: { status: 400, meaning: 'The body is not UTF-8, or its compression is damaged.' },
  nesting_too_deep: { status: 400, meaning: 'Objects or arrays are nested more than 32 deep.' },
  forbidden_property: { status: 400, meaning: 'A property is called __proto__.' },
  invalid_body: { status: 400, meaning: 'The body is JSON but not of the shape this endpoint takes.' },
  invalid_request: { status: 400, meaning: 'A header, a query parameter or the request line is wrong.' },
  unauthorized: { status: 401, meaning: 'No API key, or one that is not known.' },
  tenant_mismatch: { status: 403, meaning: "The body names another tenant than the key's." },
  not_found: { status: 404, meaning: 'There is no such path.' },
  method_not_allowed: { status: 405, meaning: 'The path exists, but not with this method.' },
  request_timeout: { status: 408, meaning: 'The client took too long to send its request.' },
  body_too_large: { status: 413, meaning: 'The body has more bytes than MAX_BODY_BYTES after decompression.' },
  too_many_events: { status: 413, meaning: 'The batch has more events than MAX_BATCH_SIZE.' },
  unsupported_media_type: { status: 415, meaning: 'The content type is not JSON, or the content encoding is unknown.' },
  no_valid_events: {
    status: 422,
    meaning: 'Not one event of the batch can be taken; `errors` says why, event by event.',
  },
  headers_too_large: { status: 431, meaning: 'The request headers have more bytes than the server takes.' },
  queue_full: { status: 429, meaning: 'The backlog is over its limit; come back after `Retry-After` seconds.' },
  internal_error: { status: 500, meaning: 'A defect in Sluice; the log has the details under the request id.' },
  queue_unavailable: {
    status: 503,
    meaning: 'Redis did not take the batch in time; it may or may not have it. Send it again with the same ids.',
  },
  shutting_down: { status: 503, meaning: 'The daemon is stopping; another instance takes the request.' },
} as const;

export type ApiErrorCode = keyof typeof API_ERRORS;

/** An error that a client is told of: its code decides the status. */
export class ApiError extends Error {
  readonly code: ApiErrorCode;
  readonly statusCode: number;
  /** Seconds after which trying again makes sense; becomes the header `Retry-After`. */
  readonly retryAfter: number | undefined;

  constructor(code: ApiErrorCode, message: string, options: { retryAfter?: number; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'ApiError';
    this.code = code;
    this.statusCode = API_ERRORS[code].status;
    this.retryAfter = options.retryAfter;
  }
}

import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify';
import { ApiError, type ApiErrorCode } from '@sluice/errors/api-errors';
import type { Logger } from '../log/logger.ts';
import { errorBody } from './broken-requests.ts';

/** Sluice's code for each error that Fastify and its plugins throw before a route runs. */
const CODE_BY_FASTIFY_CODE: Readonly<Record<string, ApiErrorCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_CP_ERR_INVALID_CONTENT_ENCODING: 'unsupported_media_type',
  FST_CP_ERR_INVALID_CONTENT: 'invalid_encoding',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'malformed_json',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'invalid_request',
};

const METHODS: HTTPMethods[] = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Media types that the route accepts, where these are not JSON alone. */
    mediaTypes?: readonly string[];
  }
}

/** What a daemon adds to the answers. */
export interface ErrorAnswerOptions {
  readonly logger: Logger;
  /** True once the ordered stop has begun. */
  readonly isStopping: () => boolean;
  /** Translates an error of the daemon's own dependencies; null for one that it does not know. */
  readonly translate?: (error: Error) => ApiError | null;
  /** Called before an error is answered. */
  readonly beforeAnswer?: (error: ApiError, request: FastifyRequest, reply: FastifyReply) => void;
}

/** Answers every error in one shape: `{"error":{"code","message","request_id"}}`. */
export function addErrorAnswers(server: FastifyInstance, options: ErrorAnswerOptions): void {
  const { logger, isStopping, translate, beforeAnswer } = options;
  server.addHook('onRequest', (request, _reply, done) => {
    if (request.headers.host === undefined && request.raw.httpVersion === '1.1')
      done(new ApiError('invalid_request', 'The request has no Host header.'));
    else if (isStopping() && request.method !== 'GET')
      done(new ApiError('shutting_down', 'This instance is stopping; send the request again.', { retryAfter: 1 }));
    else done();
  });

  server.setErrorHandler((error: FastifyError | ApiError, request, reply) => {
    const known = translate?.(error) ?? toApiError(error, request);
    beforeAnswer?.(known, request, reply);
    if (known.statusCode === 500) logger.error({ err: error, request_id: request.id }, 'a request failed');
    return sendError(known, request, reply);
  });

  server.setNotFoundHandler((request, reply) => {
    const url = request.url.split('?')[0] ?? '/';
    const allowed = METHODS.filter((method) => server.hasRoute({ method, url }));
    if (allowed.length > 0) reply.header('allow', allowed.join(', '));
    const error =
      allowed.length === 0
        ? new ApiError('not_found', `There is no ${url}; see /docs.`)
        : new ApiError('method_not_allowed', `${url} takes ${allowed.join(', ')}, not ${request.method}.`);
    beforeAnswer?.(error, request, reply);
    return sendError(error, request, reply);
  });
}

function sendError(error: ApiError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (error.retryAfter !== undefined) reply.header('retry-after', String(error.retryAfter));
  if (error.code === 'unauthorized') reply.header('www-authenticate', 'Bearer');
  return reply
    .code(error.statusCode)
    .type('application/json; charset=utf-8')
    .send(JSON.stringify(errorBody(error, request.id)));
}

/** Translates any error of a request. */
export function toApiError(error: FastifyError | ApiError, request: FastifyRequest): ApiError {
  if (error instanceof ApiError) return error;
  const code = CODE_BY_FASTIFY_CODE[error.code];
  if (code !== undefined) return new ApiError(code, explain(error, request));
  const status = error.statusCode ?? 500;
  if (status >= 400 && status < 500) return new ApiError('invalid_request', error.message);
  return new ApiError('internal_error', 'Something went wrong; the log has the details under this request id.');
}

/** Messages for errors of Fastify and its plugins: theirs do not name the header or the limit. */
function explain(error: FastifyError, { headers, routeOptions }: FastifyRequest): string {
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return `The body has more than ${routeOptions.bodyLimit} bytes after decompression.`;
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return `Content-Type must be ${mediaTypesOf(routeOptions)}; it is ${headers['content-type'] ?? 'missing'}.`;
    case 'FST_CP_ERR_INVALID_CONTENT_ENCODING':
      return `Content-Encoding must be gzip, br, zstd or deflate; it is ${headers['content-encoding']}.`;
    case 'FST_CP_ERR_INVALID_CONTENT':
      return `The body is not valid ${headers['content-encoding']}, or is cut short.`;
    default:
      return error.message;
  }
}

function mediaTypesOf({ config: { mediaTypes } }: FastifyRequest['routeOptions']): string {
  return mediaTypes === undefined || mediaTypes.length === 0 ? 'application/json' : mediaTypes.join(' or ');
}

/** Answers a request whose URL cannot be routed. No hook of the server runs for it. */
export function answerUnroutable(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  sendError(new ApiError('invalid_request', error.message), request, reply.header('x-request-id', request.id));
}

/** Ignores an unknown `Expect` header; Node would answer 417 without a body. */
export function passExpectations({ server }: FastifyInstance): void {
  server.on('checkExpectation', (request: unknown, response: unknown) => {
    server.emit('request', request, response);
  });
}

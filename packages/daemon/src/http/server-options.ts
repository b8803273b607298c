import { randomUUID } from 'node:crypto';
import type { Server } from 'node:http';
import type { FastifyHttpOptions } from 'fastify';
import type { ApiErrorCode } from '@sluice/errors/api-errors';
import { answerBrokenRequest } from './broken-requests.ts';
import { answerUnroutable } from './error-answers.ts';

/**
 * Fastify's options that all HTTP APIs of Sluice share.
 *
 * @param onUnrouted called for each answer that no hook sees: to broken HTTP or an invalid URL
 */
export function serverOptions(
  requestTimeoutMs: number,
  onUnrouted: (code: ApiErrorCode) => void = () => {},
): FastifyHttpOptions<Server> {
  return {
    logger: false,
    requestTimeout: requestTimeoutMs,
    http: {
      headersTimeout: requestTimeoutMs,
      // How often Node looks for requests that take too long; its default is 30 s.
      connectionsCheckingInterval: Math.min(requestTimeoutMs, 1_000),
      // Node's own refusal has no body; the hook in error-answers says what is wrong.
      requireHostHeader: false,
    },
    genReqId: (request) => acceptableRequestId(request.headers['x-request-id']) ?? randomUUID(),
    // The hook in error-answers answers in Sluice's own shape.
    return503OnClosing: false,
    clientErrorHandler(error, socket) {
      answerBrokenRequest(error, socket, onUnrouted);
    },
    frameworkErrors(error, request, reply) {
      answerUnroutable(error, request, reply);
      onUnrouted('invalid_request');
    },
  };
}

function acceptableRequestId(header: string | string[] | undefined): string | null {
  return typeof header === 'string' && /^[\w.:-]{1,128}$/.test(header) ? header : null;
}

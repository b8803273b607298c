import { randomUUID } from 'node:crypto';
import type { FastifyHttpOptions } from 'fastify';
import type { Server } from 'node:http';
import { answerBrokenRequest, answerUnroutable } from './error-answers.ts';

/** Fastify's options that all HTTP APIs of Sluice have in common. */
export function serverOptions(requestTimeoutMs: number): FastifyHttpOptions<Server> {
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
    // The hook in error-answers says it in Sluice's own words.
    return503OnClosing: false,
    clientErrorHandler: answerBrokenRequest,
    frameworkErrors: answerUnroutable,
  };
}

function acceptableRequestId(header: string | string[] | undefined): string | null {
  return typeof header === 'string' && /^[\w.:-]{1,128}$/.test(header) ? header : null;
}

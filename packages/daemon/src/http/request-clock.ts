import type { FastifyInstance, FastifyRequest } from 'fastify';

declare module 'fastify' {
  interface FastifyRequest {
    /** `performance.now()` when the request's headers were read. */
    arrivedAt: number;
  }
}

/** Milliseconds since the request's headers were read. */
export function elapsedMs(request: FastifyRequest): number {
  return performance.now() - request.arrivedAt;
}

/**
 * Gives every answer `X-Request-Id` and `X-Processing-Time` (e.g. `1.94ms`). During the ordered stop it adds
 * `Connection: close`: a client that keeps its connection would delay the stop until its deadline.
 */
export function addRequestClock(server: FastifyInstance, isStopping: () => boolean): void {
  server.decorateRequest('arrivedAt', 0);
  // Callbacks and not async functions, as in all hooks that every request runs: each promise costs a turn.
  server.addHook('onRequest', (request, _reply, done) => {
    request.arrivedAt = performance.now();
    done();
  });
  server.addHook('onSend', (request, reply, _payload, done) => {
    reply.header('x-request-id', request.id);
    reply.header('x-processing-time', `${elapsedMs(request).toFixed(2)}ms`);
    if (isStopping()) reply.header('connection', 'close');
    done();
  });
}

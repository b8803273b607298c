import { context, trace } from '@opentelemetry/api';
import { getRPCMetadata, RPCType } from '@opentelemetry/core';
import type { FastifyInstance } from 'fastify';

/**
 * Names each request's span by its route (`POST /api/events`), and gives it the request's id. The HTTP instrumentation
 * only sees paths, which hold ids.
 */
export function addRequestNames(server: FastifyInstance): void {
  server.addHook('onRequest', (request, _reply, done) => {
    const rpc = getRPCMetadata(context.active());
    if (rpc?.type === RPCType.HTTP) {
      rpc.route = request.routeOptions.url ?? '';
      trace.getActiveSpan()?.setAttribute('sluice.request.id', request.id);
    }
    done();
  });
}

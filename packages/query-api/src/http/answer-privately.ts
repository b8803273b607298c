import type { FastifyInstance } from 'fastify';

/** Keeps caches from storing answers, on all routes that are added to this instance afterwards: they are one key's own. */
export function answerPrivately(server: FastifyInstance): void {
  server.addHook('onRequest', async (_request, reply) => {
    reply.header('cache-control', 'no-store');
  });
}

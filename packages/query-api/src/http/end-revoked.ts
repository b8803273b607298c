import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { presentedKey } from '@sluice/access/authenticate';
import type { KeyRing } from '@sluice/access/key-ring';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by a route whose answer goes on and can say why it ends; the others are cut. */
    onRevoked: (() => void) | null;
  }
}

/**
 * Ends answers that are still going on when their key is no longer good: a live tail or a download may last for hours
 * after its one look at the key.
 *
 * @param server with authentication
 * @param everyMs how often is looked; that comes on top of the time until this instance knows of a revoked key
 */
export function endRevoked(server: FastifyInstance, keys: KeyRing, everyMs: number): void {
  server.decorateRequest('onRevoked', null);
  if (keys.open) return;
  const going = new Map<FastifyRequest, FastifyReply>();
  server.addHook('onRequest', async (request, reply) => {
    going.set(request, reply);
    reply.raw.once('close', () => going.delete(request));
  });
  const timer = setInterval(() => {
    for (const [request, reply] of going) {
      if (keys.find(presentedKey(request.headers)!) !== null) continue;
      going.delete(request);
      if (request.onRevoked === null) reply.raw.destroy();
      else request.onRevoked();
    }
  }, everyMs).unref();
  server.addHook('onClose', async () => clearInterval(timer));
}

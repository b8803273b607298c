import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { presentedKey } from '@sluice/access/authenticate';
import type { KeyRing } from '@sluice/access/key-ring';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by a route whose stream can say why it ends. Other answers are cut. */
    onRevoked: (() => void) | null;
  }
}

/**
 * Ends open answers when their key is revoked or expires: a live tail or a download may last for hours after the check of
 * its key.
 *
 * @param server with authentication
 * @param everyMs how often to check; adds to the time that this instance takes to learn of a revocation
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

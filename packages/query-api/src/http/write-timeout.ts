import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';

/**
 * Cuts connections whose client takes nothing of a waiting answer, on all routes that are added afterwards. Node itself
 * would keep such an answer forever. A client that reads slowly is not cut: Node starts the time again whenever bytes have
 * left, so the cut comes after one to two of these times.
 *
 * @param timeoutMs how long a client may take no byte, in milliseconds
 */
export function cutUnreadAnswers(server: FastifyInstance, timeoutMs: number): void {
  server.addHook('onSend', (_request, reply, _payload, done) => {
    // After the end of the answer Node's own time-out for idle connections takes the place of this one.
    reply.raw.setTimeout(timeoutMs);
    reply.raw.on('timeout', (socket: Socket) => {
      if (socket.writableLength > 0) socket.destroy();
      // Nothing waits to be read: a live tail without news, or an answer that is still being made.
      else socket.setTimeout(timeoutMs);
    });
    done();
  });
}

import type { FastifyInstance } from 'fastify';

/** What browsers may do with an answer: no more than to read it, and for the pixel to show it. */
const HEADERS: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  // Pages of every site show the pixel, also those that ask for this header (Cross-Origin-Embedder-Policy).
  'cross-origin-resource-policy': 'cross-origin',
  'cache-control': 'no-store',
  // Browsers ignore it over plain HTTP.
  'strict-transport-security': 'max-age=31536000',
};

/** Gives every answer the headers that protect browsers. A route may replace one, as the documentation's page does. */
export function addSecurityHeaders(server: FastifyInstance): void {
  server.addHook('onRequest', (_request, reply, done) => {
    reply.headers(HEADERS);
    done();
  });
}

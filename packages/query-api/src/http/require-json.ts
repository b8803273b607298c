import type { FastifyInstance } from 'fastify';
import { ApiError } from '@sluice/errors/api-errors';

/**
 * Refuses a POST without `Content-Type: application/json`, also one without a body, on all routes that are added to this
 * instance afterwards. For an API that runs open: a page of any site may send such a request, and only asks for
 * permission before it sends JSON.
 */
export function requireJson(server: FastifyInstance): void {
  server.addHook('onRequest', async ({ method, headers: { 'content-type': type } }) => {
    if (method !== 'POST' || /^application\/json\s*(;|$)/i.test(type ?? '')) return;
    throw new ApiError(
      'unsupported_media_type',
      `Content-Type must be application/json, also without a body, while this instance runs open; it is ${type ?? 'missing'}.`,
    );
  });
}

import type { FastifyReply, FastifyRequest } from 'fastify';
import type { IngestMetrics } from '@sluice/accept/ingest-metrics';
import type { ApiError } from '@sluice/errors/api-errors';
import { dropRestOfBody } from './decompress-requests.ts';

/** Counts a refused request, and drops the rest of a body that is too large. Call it before each answer with an error. */
export function noteRefusal(
  error: ApiError,
  request: FastifyRequest,
  reply: FastifyReply,
  metrics: Pick<IngestMetrics, 'refused'>,
): void {
  metrics.refused(error.code);
  if (error.code !== 'body_too_large') return;
  dropRestOfBody(request);
  reply.removeHeader('connection');
}

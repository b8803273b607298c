import type { FastifyReply, FastifyRequest } from 'fastify';
import type { IngestMetrics } from '@sluice/accept/ingest-metrics';
import type { ApiError } from '@sluice/errors/api-errors';
import { dropRestOfBody } from './decompress-requests.ts';

/** What has to be done before an error is answered, by a door or by the server: it is counted, and its body let go of. */
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

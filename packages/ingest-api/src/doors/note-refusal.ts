import type { FastifyReply, FastifyRequest } from 'fastify';
import type { IngestMetrics } from '@sluice/accept/ingest-metrics';
import type { ApiError, ApiErrorCode } from '@sluice/errors/api-errors';
import { dropRestOfBody } from './decompress-requests.ts';

/** Errors of a body that is still being sent. */
const WHILE_RECEIVING: ReadonlySet<ApiErrorCode> = new Set([
  'body_too_large',
  'compression_ratio_too_high',
  'overloaded',
]);

/** Counts a refused request, and drops the rest of a body that is refused. Call it before each answer with an error. */
export function noteRefusal(
  error: ApiError,
  request: FastifyRequest,
  reply: FastifyReply,
  metrics: Pick<IngestMetrics, 'refused'>,
): void {
  metrics.refused(error.code);
  if (!WHILE_RECEIVING.has(error.code)) return;
  dropRestOfBody(request);
  reply.removeHeader('connection');
}

import type { FastifyReply } from 'fastify';
import { ApiError } from '@sluice/errors/api-errors';

/** How a statement ends when nobody waits for its answer any more: at once, in the server too. */
export interface UntilGone {
  readonly signal: AbortSignal;
  readonly inflightQueryAbortStrategy: 'cancel query';
}

/** What a request ends with whose client hung up; nobody reads the answer that it becomes, and nothing is logged. */
export function clientGone(): ApiError {
  return new ApiError('request_timeout', 'The client closed the connection.');
}

/** For `execute`: cancels what runs in Postgres when the client hangs up before it has its answer. */
export function untilGone(reply: FastifyReply): UntilGone {
  const gone = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) gone.abort(clientGone());
  });
  return { signal: gone.signal, inflightQueryAbortStrategy: 'cancel query' };
}

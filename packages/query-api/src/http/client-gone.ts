import type { FastifyReply } from 'fastify';
import { ApiError } from '@sluice/errors/api-errors';

/** Makes a statement end, also in the server, as soon as its client has hung up. */
export interface UntilGone {
  readonly signal: AbortSignal;
  readonly inflightQueryAbortStrategy: 'cancel query';
}

/** The error of a request whose client hung up. Nobody reads the answer, and nothing is logged. */
export function clientGone(): ApiError {
  return new ApiError('request_timeout', 'The client closed the connection.');
}

/** Options for `execute`: they cancel the running statement when the client hangs up before its answer. */
export function untilGone(reply: FastifyReply): UntilGone {
  const gone = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) gone.abort(clientGone());
  });
  return { signal: gone.signal, inflightQueryAbortStrategy: 'cancel query' };
}

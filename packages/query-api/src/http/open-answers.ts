import type { FastifyReply } from 'fastify';
import type { Principal } from '@sluice/access/principal';
import { ApiError } from '@sluice/errors/api-errors';

/**
 * Downloads of one kind, or streams of progress, that one key may have open on one query API. A client that stops
 * reading holds what was read for it for as long as it likes: 25 MB of the largest events.
 */
export const MAX_OPEN_ANSWERS = 10;

/** Seconds after which a refused client may try again. */
const RETRY_AFTER_SECONDS = 10;

/**
 * Limits the open answers of each key: downloads and streams, which last as long as their clients read.
 *
 * @param limit how many one key may have open
 * @returns a function that counts an answer until its connection closes, and throws ApiError `too_many_streams`
 */
export function limitOpenAnswers(limit: number): (caller: Principal, reply: FastifyReply) => void {
  const open = new Map<string, number>();
  return ({ id }, reply) => {
    const before = open.get(id) ?? 0;
    if (before >= limit) {
      throw new ApiError(
        'too_many_streams',
        `This key has ${before} answers of this kind open; the limit is ${limit}.`,
        {
          retryAfter: RETRY_AFTER_SECONDS,
        },
      );
    }
    open.set(id, before + 1);
    reply.raw.once('close', () => {
      const left = open.get(id)! - 1;
      if (left === 0) open.delete(id);
      else open.set(id, left);
    });
  };
}

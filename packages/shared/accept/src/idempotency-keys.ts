import type { Redis } from 'ioredis';
import type { Logger } from '@sluice/daemon/log/logger';
import { Outage } from '@sluice/daemon/log/outage';
import { withTimeout } from '@sluice/daemon/retry/with-timeout';
import { ApiError } from '@sluice/errors/api-errors';
import { type KeyedRequest, keyedRequestId } from '@sluice/events/event-id';
import type { Backlog } from '@sluice/stream/backlog-meter';
import { claimKey } from '@sluice/stream/claim-key';
import { refusalOf } from '@sluice/stream/redis-refusal';
import { queueUnavailable } from './queue-unavailable.ts';

/** Remembers which body an `Idempotency-Key` was used with first. */
export interface IdempotencyKeys {
  /**
   * Claims a key for a body; call it right before the batch is enqueued. The same body may claim its key any number of
   * times: a client that saw no answer, or a 503, sends its batch again, and storage makes it once.
   *
   * @throws ApiError `idempotency_key_reused` when another body claimed the key first, `queue_unavailable` when Redis
   *   does not answer
   */
  claim(request: KeyedRequest): Promise<void>;
}

/** Share of the memory limit above which no more fingerprints are stored. The rest is for events. */
const MEMORY_SHARE = 0.5;

/** Bytes that are stored of a body's SHA-256: enough to tell apart what clients send by mistake. */
const FINGERPRINT_BYTES = 16;

/**
 * Stores a fingerprint of each claimed body in Redis, about 150 bytes for `hours`. It is a courtesy to clients: event
 * ids depend on the body too, so no other body is ever taken for a resend. Therefore a Redis that is half full, or that
 * refuses the command, is no reason to refuse a batch.
 *
 * @param options.hours how long a key is remembered; 0 remembers none
 * @param options.timeoutMs how long Redis may take for a claim
 * @param options.backlog the newest measurement; null while there is none
 * @param options.maxBytes memory limit, in bytes, for a Redis without maxmemory
 */
export function createIdempotencyKeys(options: {
  redis: Redis;
  logger: Logger;
  namespace: string;
  hours: number;
  timeoutMs: number;
  maxBytes: number;
  backlog: () => Backlog | null;
}): IdempotencyKeys {
  const { redis, logger, namespace, hours, timeoutMs } = options;
  const refusals = new Outage();

  function hasRoom(): boolean {
    const backlog = options.backlog();
    if (backlog === null) return true;
    return backlog.usedMemory < MEMORY_SHARE * (backlog.maxMemory > 0 ? backlog.maxMemory : options.maxBytes);
  }

  /** @returns the fingerprint of the first body; null when this is the first, or when Redis refuses to say */
  async function firstFingerprint(name: string, fingerprint: Buffer): Promise<Buffer | null> {
    const forSeconds = hasRoom() ? hours * 3_600 : null;
    try {
      const first = await withTimeout(claimKey(redis, { namespace, name, fingerprint, forSeconds }), timeoutMs);
      refusals.over();
      return first;
    } catch (error) {
      // Without an answer, adding the batch would fail too.
      if (refusalOf(error) === null) throw queueUnavailable(error);
      const reason = refusals.news(error);
      if (reason !== null) logger.warn({ error: reason }, 'Idempotency-Key not remembered; enqueued all the same');
      return null;
    }
  }

  return {
    async claim(request) {
      if (hours === 0) return;
      const fingerprint = request.digest.subarray(0, FINGERPRINT_BYTES);
      const first = await firstFingerprint(keyedRequestId(request), fingerprint);
      if (first === null || first.equals(fingerprint)) return;
      throw new ApiError(
        'idempotency_key_reused',
        `This Idempotency-Key came with another body within the last ${hours} h. Nothing was queued: use a new key.`,
      );
    },
  };
}

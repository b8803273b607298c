import { context, ROOT_CONTEXT } from '@opentelemetry/api';
import { suppressTracing } from '@opentelemetry/core';
import type { Redis } from 'ioredis';

/** Commands that share a round trip with those of other requests have no spans, as in `createStreamProducer`. */
const UNTRACED = suppressTracing(ROOT_CONTEXT);

/**
 * Claims the name of a request for the body that it has, unless another body claimed it first.
 *
 * @param name of the request: its tenant, route and `Idempotency-Key`, as one id
 * @param forSeconds how long the claim lasts; null only reads
 * @returns the fingerprint of the first body, or null when no body had claimed the name
 */
export function claimKey(
  redis: Redis,
  options: { namespace: string; name: string; fingerprint: Buffer; forSeconds: number | null },
): Promise<Buffer | null> {
  const { fingerprint, forSeconds } = options;
  const key = `${options.namespace}:idempotency:${options.name}`;
  return context.with(UNTRACED, () =>
    forSeconds === null ? redis.getBuffer(key) : redis.setBuffer(key, fingerprint, 'EX', forSeconds, 'NX', 'GET'),
  );
}

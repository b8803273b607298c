import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { idOfApiKey } from '@sluice/access/api-key';
import type { KeyRing } from '@sluice/access/key-ring';
import { ApiError } from '@sluice/errors/api-errors';

const WINDOW_MS = 60_000;

/** Wrong keys from one address in a minute, after which its keys are refused for the rest of that minute. */
const MAX_WRONG_KEYS = 30;

/**
 * Limits the requests of each key, on all routes that are added to this instance afterwards. Every answer says in
 * `RateLimit-*` what is left. Each process counts alone, so reads neither need Redis nor wait for it.
 *
 * @param perMinute for keys without their own limit; 0 for none, and then wrong keys are not counted either
 */
export async function addRateLimits(server: FastifyInstance, keys: KeyRing, perMinute: number): Promise<WrongKeys> {
  const limitOf = ({ operator }: FastifyRequest): number => operator.requestsPerMinute ?? perMinute;
  await server.register(rateLimit, {
    enableDraftSpec: true,
    timeWindow: WINDOW_MS,
    max: limitOf,
    allowList: (request) => limitOf(request) === 0,
    // An open instance has only one principal, so it counts by address.
    keyGenerator: (request) => (keys.open ? addressOf(request) : request.operator.id),
    errorResponseBuilder: (_request, { max, ttl }) => {
      const retryAfter = Math.max(1, Math.ceil(ttl / 1_000));
      return new ApiError('rate_limited', `More than ${max} requests in a minute. Try again in ${retryAfter} s.`, {
        retryAfter,
      });
    },
  });
  return countWrongKeys(server, perMinute === 0);
}

/** Limits how often keys can be guessed. */
export interface WrongKeys {
  /**
   * Refuses the next key of an address that has sent too many wrong ones, before that key is checked: else guessing would
   * continue. Only a key that could be guessed is refused. One that Sluice made has 256 random bits, and a neighbour on
   * the same proxy must not lock its owner out.
   *
   * @throws ApiError `rate_limited`
   */
  check(request: FastifyRequest, key: string): Promise<void>;
  count(request: FastifyRequest): Promise<void>;
}

function countWrongKeys(server: FastifyInstance, off: boolean): WrongKeys {
  const count = server.createRateLimit({
    max: MAX_WRONG_KEYS,
    timeWindow: WINDOW_MS,
    keyGenerator: addressOf,
    allowList: () => off,
  });
  return {
    async check(request, key) {
      if (idOfApiKey(key) !== null) return;
      const wrong = await count(request, { increment: false });
      if (wrong.isAllowed || wrong.remaining > 0) return;
      throw new ApiError('rate_limited', `Too many wrong keys. Try again in ${wrong.ttlInSeconds} s.`, {
        retryAfter: wrong.ttlInSeconds,
      });
    },
    async count(request) {
      await count(request);
    },
  };
}

/** An IPv6 client is counted by its /64, because it chooses the rest of its address itself. */
function addressOf({ ip }: FastifyRequest): string {
  return rateLimit.normalizeIP(ip);
}

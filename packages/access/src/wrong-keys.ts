import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { clientAddress } from '@sluice/daemon/http/client-address';
import { ApiError } from '@sluice/errors/api-errors';
import { keyUnknown } from './authenticate.ts';
import type { KeyRing } from './key-ring.ts';
import type { Principal } from './principal.ts';

/** A key of this many characters cannot be guessed: at 30 guesses a minute not even if each is a lower-case letter. */
export const STRONG_KEY_CHARS = 24;

const WINDOW_MS = 60_000;

/** Wrong keys from one address in a minute. After these it gets 429 for the rest of that minute. */
const MAX_WRONG_KEYS = 30;

/** Most pairs of an address and a short key that are remembered as good; the oldest is forgotten first. */
const MAX_GOOD_PAIRS = 5_000;

/** Finds the owners of keys, and limits how often one address may guess. */
export interface KeyCheck {
  /**
   * The owner of a key. An address that sent too many wrong keys has to wait, so that guessing is slow. Its neighbours
   * behind the same proxy do not: a strong key is always accepted, and so is a short one that this address used before.
   *
   * @throws ApiError `unauthorized` for an unknown key, `rate_limited` when the address has to wait, `keys_unavailable`
   *   when the stored keys are not known yet
   */
  ownerOf(request: FastifyRequest, key: string): Promise<Principal>;
}

/**
 * Counts wrong keys in this process alone: no request waits for another server.
 *
 * @param counts false to count none
 */
export async function createKeyCheck(server: FastifyInstance, keys: KeyRing, counts = true): Promise<KeyCheck> {
  if (!server.hasDecorator('createRateLimit')) await server.register(rateLimit, { global: false });
  const countWrongKey = server.createRateLimit({
    max: MAX_WRONG_KEYS,
    timeWindow: WINDOW_MS,
    keyGenerator: addressOf,
    allowList: () => !counts,
  });
  const goodPairs = new Set<string>();

  function remember(pair: string): void {
    // In the order of their last use.
    goodPairs.delete(pair);
    goodPairs.add(pair);
    if (goodPairs.size > MAX_GOOD_PAIRS) goodPairs.delete(goodPairs.values().next().value!);
  }

  return {
    async ownerOf(request, key) {
      const owner = keys.find(key);
      if (owner !== null && key.length >= STRONG_KEY_CHARS) return owner;
      const pair = `${addressOf(request)} ${owner?.id}`;
      if (owner === null || !goodPairs.has(pair)) {
        const wrong = await countWrongKey(request, { increment: false });
        if (!wrong.isAllowed && wrong.remaining === 0) throw tooManyWrongKeys(wrong.ttlInSeconds);
      }
      if (owner === null) {
        await countWrongKey(request);
        throw keyUnknown();
      }
      remember(pair);
      return owner;
    },
  };
}

function tooManyWrongKeys(retryAfter: number): ApiError {
  return new ApiError('rate_limited', `Too many wrong keys. Try again in ${retryAfter} s.`, { retryAfter });
}

/** The client's address; for IPv6 its /64, because a client chooses the rest of the address itself. */
export function addressOf({ ip, socket }: FastifyRequest): string {
  return rateLimit.normalizeIP(clientAddress(ip, socket.remoteAddress) ?? ip);
}

import type { Principal } from '@sluice/access/principal';
import { ApiError } from '@sluice/errors/api-errors';

/** Limits the events of each key. Counts in this process alone, so that no request waits for another server. */
export interface Quotas {
  /**
   * Called before the body is read, so that refusing a key over its quota is cheap.
   *
   * @throws ApiError `quota_exceeded` with `retryAfter`
   */
  check(principal: Principal | null): void;
  /** Counts the events of a request that passed `check`. */
  charge(principal: Principal | null, events: number): void;
}

/** The events that a key may still send: at most those of one second. Below zero it has sent too many. */
interface Allowance {
  events: number;
  /** When `events` was computed, by `performance.now()`. */
  at: number;
}

/**
 * A token bucket for each key. A request passes while one event is left, and is then counted in full. So a batch may be
 * larger than the quota of a second; the key waits longer after it.
 *
 * @param eventsPerSecond quota of keys that have none of their own; 0 for no limit
 */
export function createQuotas(eventsPerSecond: number, now = () => performance.now()): Quotas {
  // One entry for each used key with a quota, so never more entries than keys.
  const allowances = new Map<string, Allowance>();
  const rateOf = (principal: Principal | null): number =>
    principal === null ? 0 : (principal.eventsPerSecond ?? eventsPerSecond);

  function allowanceOf(id: string, rate: number): Allowance {
    const at = now();
    let allowance = allowances.get(id);
    if (allowance === undefined) {
      allowance = { events: rate, at };
      allowances.set(id, allowance);
    } else {
      allowance.events = Math.min(rate, allowance.events + ((at - allowance.at) * rate) / 1_000);
      allowance.at = at;
    }
    return allowance;
  }

  return {
    check(principal) {
      const rate = rateOf(principal);
      if (rate === 0) return;
      const { events } = allowanceOf(principal!.id, rate);
      if (events >= 1) return;
      const retryAfter = Math.ceil((1 - events) / rate);
      throw new ApiError('quota_exceeded', `This key may send ${rate} events/s. Try again in ${retryAfter} s.`, {
        retryAfter,
      });
    },
    charge(principal, events) {
      const rate = rateOf(principal);
      if (rate > 0) allowanceOf(principal!.id, rate).events -= events;
    },
  };
}

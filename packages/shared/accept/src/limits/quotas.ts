import type { Principal } from '@sluice/access/principal';
import { ApiError } from '@sluice/errors/api-errors';

/** How many events each key may bring, counted in this process alone: no request waits for another server. */
export interface Quotas {
  /**
   * Before the body is read: a key that has brought too much is told so cheaply.
   *
   * @throws ApiError `quota_exceeded` with `retryAfter`
   */
  check(principal: Principal | null): void;
  /** Counts the events of a request that was let in. */
  charge(principal: Principal | null, events: number): void;
}

/** What a key may still bring: at most one second's worth, and below zero what it has brought beyond. */
interface Allowance {
  events: number;
  /** `performance.now()` when it was counted. */
  at: number;
}

/**
 * A token bucket for each key. A request is let in while one event is left, and then counted in full, so that a batch
 * larger than the quota of a second is possible and paid for by waiting.
 *
 * @param eventsPerSecond for keys without a quota of their own; 0 for none
 */
export function createQuotas(eventsPerSecond: number, now = () => performance.now()): Quotas {
  // One entry for each key that has a quota and was used: as many as there are keys.
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
      throw new ApiError('quota_exceeded', `This key may bring ${rate} events/s. Try again in ${retryAfter} s.`, {
        retryAfter,
      });
    },
    charge(principal, events) {
      const rate = rateOf(principal);
      if (rate > 0) allowanceOf(principal!.id, rate).events -= events;
    },
  };
}

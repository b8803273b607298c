import { once } from 'node:events';
import { type Backoff, backoffDelay } from '@sluice/daemon/retry/backoff';
import { waitOrAbort } from '@sluice/daemon/retry/wait-or-abort';

/** Waits between two tries while the server is away. */
const AWAY_BACKOFF: Backoff = { initialMs: 100, maxMs: 5_000 };

/** Longest random delay when the breaker closes, in milliseconds: the waiting transactions must not all resume at once. */
const SPREAD_MS = 250;

/**
 * Holds all transactions back while Postgres is away. The first failure opens it. Then one transaction at a time tries,
 * after a growing wait; its success closes the breaker, and the others follow one by one. The try is a real batch and
 * not a ping: a server with a full disk answers pings.
 */
export class Breaker {
  readonly #stop: AbortSignal;
  readonly #changed = new EventTarget();
  #failures = 0;
  #trying = false;

  /** @param stop ends all waiting */
  constructor(stop: AbortSignal) {
    this.#stop = stop;
    stop.addEventListener('abort', () => this.#changed.dispatchEvent(new Event('change')), { once: true });
  }

  /** True while Postgres counts as away; nothing should be fetched then. */
  get isOpen(): boolean {
    return this.#failures > 0;
  }

  /** Waits for this transaction's turn; resolves at once while the breaker is closed. */
  async pass(): Promise<void> {
    let waited = false;
    while (this.isOpen && !this.#stop.aborted) {
      if (this.#trying) {
        waited = true;
        await once(this.#changed, 'change');
        continue;
      }
      this.#trying = true;
      await waitOrAbort(backoffDelay(AWAY_BACKOFF, this.#failures), this.#stop);
      return;
    }
    if (waited) await waitOrAbort(Math.random() * SPREAD_MS, this.#stop);
  }

  /** A transaction failed because the server is away. */
  failed(): void {
    this.#failures += 1;
    this.#release();
  }

  /** A transaction succeeded, or failed for a reason of its own. */
  answered(): void {
    this.#failures = 0;
    this.#release();
  }

  #release(): void {
    this.#trying = false;
    this.#changed.dispatchEvent(new Event('change'));
  }
}

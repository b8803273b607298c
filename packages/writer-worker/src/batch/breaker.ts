import { once } from 'node:events';
import { type Backoff, backoffDelay } from '@sluice/daemon/retry/backoff';
import { waitOrAbort } from '@sluice/daemon/retry/wait-or-abort';

/** Waits while the server is away. */
const AWAY_BACKOFF: Backoff = { initialMs: 100, maxMs: 5_000 };

/** Longest random wait of those that the breaker lets go on, in milliseconds: they shall not come back together. */
const SPREAD_MS = 250;

/**
 * Holds all transactions back while Postgres is away. The first failure opens it; then one transaction at a
 * time, after a growing wait, is let through to try, and its success lets the others follow, spread out.
 * The try is a real batch and not a ping: a full disk answers pings.
 */
export class Breaker {
  readonly #stop: AbortSignal;
  readonly #changed = new EventTarget();
  #failures = 0;
  #trying = false;

  /** @param stop lets go of everybody who waits */
  constructor(stop: AbortSignal) {
    this.#stop = stop;
    stop.addEventListener('abort', () => this.#changed.dispatchEvent(new Event('change')), { once: true });
  }

  /** True while Postgres is taken to be away; nothing should be fetched then. */
  get isOpen(): boolean {
    return this.#failures > 0;
  }

  /** Waits for this transaction's turn; at once while the breaker is closed. */
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

  /** A transaction came through, or failed for a reason of its own. */
  answered(): void {
    this.#failures = 0;
    this.#release();
  }

  #release(): void {
    this.#trying = false;
    this.#changed.dispatchEvent(new Event('change'));
  }
}

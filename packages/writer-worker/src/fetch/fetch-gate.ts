import { once } from 'node:events';
import { MAX_ENTRY_BYTES, MAX_ENTRY_EVENTS } from '@sluice/stream/stream-entry';

/**
 * Most entries in one read. An entry may hold 1 MiB, and the size of the next ones is only a guess. A read of 100 single
 * events takes well under a millisecond, so more would gain nothing.
 */
const MAX_COUNT = 100;

/**
 * Decides when to read and how much, so that memory stays bounded however large the backlog or its entries are. Reading
 * stops at a high water mark of events or bytes, and resumes at half of it.
 */
export class FetchGate {
  readonly #options: GateOptions;
  readonly #changed = new EventTarget();
  #full = false;
  /** Estimate of what the next entries hold: the maximum, until some have been seen. */
  #eventsPerEntry = MAX_ENTRY_EVENTS;
  #bytesPerEntry = MAX_ENTRY_BYTES;

  constructor(options: GateOptions) {
    this.#options = options;
    options.stopFetching.addEventListener('abort', () => this.release(), { once: true });
  }

  /** Notes what an entry held. The estimate rises at once and falls slowly, so that large entries surprise only once. */
  observe(events: number, bytes: number): void {
    this.#eventsPerEntry = nextGuess(this.#eventsPerEntry, events);
    this.#bytesPerEntry = nextGuess(this.#bytesPerEntry, bytes);
  }

  /** Wakes `room()`: call it after storing something, or when `isShut` may have changed. */
  release(): void {
    this.#changed.dispatchEvent(new Event('change'));
  }

  /** Waits for room. Resolves with how many entries may be read, at least one; after a stop with one, at once. */
  async room(): Promise<number> {
    for (;;) {
      if (this.#options.stopFetching.aborted) return 1;
      const free = this.#free();
      if (free > 0) return free;
      await once(this.#changed, 'change');
    }
  }

  #free(): number {
    const { maxEvents, maxBytes, held, isShut } = this.#options;
    if (isShut()) return 0;
    const { events, bytes } = held();
    const share = this.#full ? 0.5 : 1;
    this.#full = events >= maxEvents * share || bytes >= maxBytes * share;
    if (this.#full) return 0;
    const byEvents = (maxEvents - events) / Math.max(1, this.#eventsPerEntry);
    const byBytes = (maxBytes - bytes) / Math.max(1, this.#bytesPerEntry);
    return Math.max(1, Math.min(MAX_COUNT, Math.floor(Math.min(byEvents, byBytes))));
  }
}

/** Limits of what one writer holds in memory. */
export interface GateOptions {
  /** High water marks; reading resumes below half of them. */
  readonly maxEvents: number;
  readonly maxBytes: number;
  readonly held: () => { events: number; bytes: number };
  /** True while nothing may be fetched, however much room there is. */
  readonly isShut: () => boolean;
  readonly stopFetching: AbortSignal;
}

function nextGuess(guess: number, seen: number): number {
  return seen > guess ? seen : guess + (seen - guess) / 8;
}

import { once } from 'node:events';
import { MAX_ENTRY_BYTES, MAX_ENTRY_EVENTS } from '@sluice/stream/stream-entry';

/** Limits of what one writer holds in memory. */
export interface GateOptions {
  /** High water marks; reading goes on below half of them. */
  readonly maxEvents: number;
  readonly maxBytes: number;
  readonly held: () => { events: number; bytes: number };
  /** True while nothing may be fetched, whatever room there is. */
  readonly isShut: () => boolean;
  readonly stopFetching: AbortSignal;
}

/**
 * Most entries in one read: an entry may hold 1 MiB, and how much the next ones hold is only a guess. A read of
 * 100 single events takes well under a millisecond, so more would gain nothing.
 */
const MAX_COUNT = 100;

/**
 * Decides when to read and how much, so that memory stays bounded however large the backlog or its entries:
 * reading stops at a high water mark of events or bytes and goes on at half of it.
 */
export class FetchGate {
  readonly #options: GateOptions;
  readonly #changed = new EventTarget();
  #full = false;
  /** What the next entries are taken to hold: as much as they may, until some have been seen. */
  #eventsPerEntry = MAX_ENTRY_EVENTS;
  #bytesPerEntry = MAX_ENTRY_BYTES;

  constructor(options: GateOptions) {
    this.#options = options;
    options.stopFetching.addEventListener('abort', () => this.release(), { once: true });
  }

  /** Notes what an entry held. The guess goes up at once and down slowly, so that large entries never come unexpected twice. */
  observe(events: number, bytes: number): void {
    this.#eventsPerEntry = nextGuess(this.#eventsPerEntry, events);
    this.#bytesPerEntry = nextGuess(this.#bytesPerEntry, bytes);
  }

  /** Says that something was stored, or that the gate may have opened. */
  release(): void {
    this.#changed.dispatchEvent(new Event('change'));
  }

  /** Waits for room, then says how many entries may be read; at least one. After a stop it says one at once. */
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

function nextGuess(guess: number, seen: number): number {
  return seen > guess ? seen : guess + (seen - guess) / 8;
}

import type { DecodedEntry } from '@sluice/store/write/decode-entry';

/** Entries of one transaction. */
export interface Batch {
  readonly entries: readonly DecodedEntry[];
  readonly eventCount: number;
}

/** Limits of one transaction. `lingerMs` is how long a batch that is not full waits for more. */
export interface BatchLimits {
  readonly maxEvents: number;
  readonly maxBytes: number;
  readonly lingerMs: number;
}

/**
 * Merges entries into batches: readers push entries, transactions take batches. An entry is never split, so that the
 * transaction that stored it can acknowledge it.
 */
export class BatchBuffer {
  readonly #limits: BatchLimits;
  #entries: DecodedEntry[] = [];
  #events = 0;
  #bytes = 0;
  #closed = false;
  /** When the oldest entry was pushed; decides the end of the linger. */
  #oldestAt = 0;
  #timer: NodeJS.Timeout | undefined;
  readonly #takers: ((batch: Batch | null) => void)[] = [];

  constructor(limits: BatchLimits) {
    this.#limits = limits;
  }

  /** Number of buffered events. */
  get events(): number {
    return this.#events;
  }

  /** Bytes of JSON of the buffered events. */
  get bytes(): number {
    return this.#bytes;
  }

  push(entry: DecodedEntry): void {
    if (this.#entries.length === 0) this.#oldestAt = performance.now();
    this.#entries.push(entry);
    this.#events += entry.events.length;
    this.#bytes += entry.bytes;
    this.#hand();
  }

  /** The next batch; null once the buffer is closed and empty. */
  take(): Promise<Batch | null> {
    return new Promise((resolve) => {
      this.#takers.push(resolve);
      this.#hand();
    });
  }

  /** Says that no more entries come. What is left is handed out without waiting. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#hand();
  }

  /** Gives full, overdue and last batches to the waiting takers. */
  #hand(): void {
    while (this.#takers.length > 0) {
      if (this.#entries.length === 0) {
        if (!this.#closed) return;
        this.#takers.shift()?.(null);
        continue;
      }
      const waitMs = this.#oldestAt + this.#limits.lingerMs - performance.now();
      if (!this.#closed && !this.#isFull() && waitMs > 0) {
        this.#timer ??= setTimeout(() => {
          this.#timer = undefined;
          this.#hand();
        }, Math.ceil(waitMs));
        return;
      }
      this.#takers.shift()?.(this.#cut());
    }
  }

  #isFull(): boolean {
    return this.#events >= this.#limits.maxEvents || this.#bytes >= this.#limits.maxBytes;
  }

  #cut(): Batch {
    let taken = 0;
    let events = 0;
    let bytes = 0;
    for (const entry of this.#entries) {
      const fits =
        events + entry.events.length <= this.#limits.maxEvents && bytes + entry.bytes <= this.#limits.maxBytes;
      if (taken > 0 && !fits) break;
      taken += 1;
      events += entry.events.length;
      bytes += entry.bytes;
    }
    const entries = this.#entries.splice(0, taken);
    this.#events -= events;
    this.#bytes -= bytes;
    this.#oldestAt = performance.now();
    return { entries, eventCount: events };
  }
}

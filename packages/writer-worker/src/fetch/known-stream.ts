import type { RawEntry } from '@sluice/store/write/decode-entry';
import { isAfter } from '@sluice/stream/measure-shard';

/**
 * The reader may do something else for this long, in milliseconds, and still count as one that was reading. What is
 * added while it reads is delivered at once.
 */
const GAP_MS = 100;

/** What a stream holds now, as XINFO STREAM reports it. */
export interface StreamInfo {
  readonly length: number;
  readonly added: number;
  /** Null for an empty stream. */
  readonly firstId: string | null;
}

/**
 * Remembers what a reader knows of its stream. After a group has vanished, that decides whether the stream vanished too, and
 * whether anything was lost with it.
 */
export class KnownStream {
  readonly #now: () => number;
  #added = 0;
  #lastId: string | null = null;
  #othersHold = true;
  #isDrained = false;
  #readUntil = -Infinity;

  /** @param now a monotonic clock, in milliseconds */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** @param added entries that were ever added, as Redis counts them */
  checked(added: number): void {
    this.#added = added;
  }

  /** Notes a read of new entries that asked for up to `count`. */
  read(entries: readonly RawEntry[], count: number): void {
    this.#isDrained = entries.length < count;
    this.#readUntil = this.#now();
    this.#lastId = entries.at(-1)?.id ?? this.#lastId;
  }

  /** @param count pending entries of other consumers; they are lost with the stream unless their writers live */
  othersHold(count: number): void {
    this.#othersHold = count > 0;
  }

  /** A read begins. */
  reading(): void {
    if (this.#now() - this.#readUntil > GAP_MS) this.#isDrained = false;
  }

  /** A read failed on the way, so Redis may have been away: what was added since is unknown. */
  interrupted(): void {
    this.#isDrained = false;
  }

  /** Whether this is the stream that was read, and not another one under its name. */
  isSame({ length, added, firstId }: StreamInfo): boolean {
    if (added < this.#added) return false;
    // Without a group nothing leaves a new stream, and its ids come after those of the old one.
    return length < added || this.#lastId === null || (firstId !== null && !isAfter(firstId, this.#lastId));
  }

  /** Whether everything in the stream had been delivered to a writer that stores it. */
  get isDrained(): boolean {
    return this.#isDrained && !this.#othersHold;
  }
}

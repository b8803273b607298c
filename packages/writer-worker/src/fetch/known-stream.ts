import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { RawEntry } from '@sluice/store/write/decode-entry';
import { isAfter } from '@sluice/stream/measure-shard';

/**
 * The reader may do something else for this long, in milliseconds, and still count as one that was reading. What is
 * added while it reads is delivered at once.
 */
const GAP_MS = 100;

/** How long the process stood still, e.g. in SIGSTOP or on a machine that has no processor for it. */
interface Pauses {
  /** The longest since the last reset, in milliseconds. */
  longestMs(): number;
  reset(): void;
  stop(): void;
}

/**
 * Measures by a timer of Node. An answer that came during a pause is handled right after it, as if nothing had been added
 * since. The timer fires before that, or right after the next read has begun: so both are asked.
 */
function measurePauses(): Pauses {
  const delays = monitorEventLoopDelay({ resolution: GAP_MS / 2 });
  delays.enable();
  return {
    longestMs: () => delays.max / 1e6,
    reset: () => delays.reset(),
    stop: () => void delays.disable(),
  };
}

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
  readonly #pauses = measurePauses();
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
    if (this.#now() - this.#readUntil > GAP_MS || this.#pauses.longestMs() > GAP_MS) this.#isDrained = false;
    this.#pauses.reset();
  }

  /** A read failed on the way, so Redis may have been away: what was added since is unknown. */
  interrupted(): void {
    this.#isDrained = false;
  }

  /** Ends the measuring of pauses. */
  stop(): void {
    this.#pauses.stop();
  }

  /** Whether this is the stream that was read, and not another one under its name. */
  isSame({ length, added, firstId }: StreamInfo): boolean {
    if (added < this.#added) return false;
    // Without a group nothing leaves a new stream, and its ids come after those of the old one.
    return length < added || this.#lastId === null || (firstId !== null && !isAfter(firstId, this.#lastId));
  }

  /** Whether everything in the stream had been delivered to a writer that stores it. */
  get isDrained(): boolean {
    return this.#isDrained && !this.#othersHold && this.#pauses.longestMs() <= GAP_MS;
  }
}

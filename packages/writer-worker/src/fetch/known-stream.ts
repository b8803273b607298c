import type { RawEntry } from '@sluice/store/write/decode-entry';
import { isAfter } from '@sluice/stream/measure-shard';

/**
 * Redis reports its start in whole seconds, and ends connections a little before it exits: a server counts as started after a
 * connection broke when it started at most this long before, in milliseconds.
 */
const START_SLACK_MS = 2_000;

/** What a stream holds now, as XINFO STREAM reports it. */
export interface StreamInfo {
  readonly length: number;
  readonly added: number;
  /** Null for an empty stream. */
  readonly firstId: string | null;
}

/** What a stream held in the moment in which a read of new entries came to Redis. */
export interface BeforeRead {
  readonly length: number;
  /** Entries that are pending at this reader, which has them in work. */
  readonly own: number;
  /** Entries that are pending at others; they are lost with the stream unless their writers live. */
  readonly others: number;
}

/**
 * Remembers what a reader knows of its stream. After a group has vanished, that decides whether the stream vanished too, and
 * whether anything was lost with it.
 *
 * Only Redis knows that: a reader that is frozen or late cannot tell from its own clock what was added meanwhile. A read that
 * waits in Redis is given each entry at once. So when such a read ends because its stream is gone, this reader was given
 * everything. When the stream was gone before the read came, what was added between two reads is unknown.
 */
export class KnownStream {
  readonly #now: () => number;
  #added = 0;
  #lastId: string | null = null;
  #isDrained = false;
  #failingSince: number | null = null;

  /** @param now in milliseconds since 1970 */
  constructor(now: () => number = () => Date.now()) {
    this.#now = now;
  }

  /** @param added entries that were ever added, as Redis counts them */
  checked(added: number): void {
    this.#added = added;
  }

  /** Notes the answer to a read of new entries. What is added from then on until the next read begins is unknown. */
  read(entries: readonly RawEntry[]): void {
    this.#lastId = entries.at(-1)?.id ?? this.#lastId;
    this.#isDrained = false;
  }

  /**
   * A read came to Redis. If it waits there, nothing is left to deliver.
   *
   * @param before null when Redis did not say: there is no group, or the role may not ask
   */
  readBegan(before: BeforeRead | null): void {
    // An entry that is in the stream and pending at nobody is one that no read delivers.
    this.#isDrained = before !== null && before.others === 0 && before.length <= before.own;
  }

  /** A read failed. @param answered Redis answered it with an error, so it does not wait there any more */
  failed(answered: boolean): void {
    if (answered) this.#isDrained = false;
    this.#failingSince ??= this.#now();
  }

  /**
   * Redis answers again after a failure. While it was there without this reader, others may have added entries.
   *
   * @param startedAt when the server started, in milliseconds since 1970; null when it does not say
   */
  reconnected(startedAt: number | null): void {
    const since = this.#failingSince;
    if (since === null || startedAt === null || startedAt < since - START_SLACK_MS) this.#isDrained = false;
    this.#failingSince = null;
  }

  /**
   * Whether the stream is older than what was read from it: Redis came back with an older snapshot, or as a replica that had
   * not copied everything.
   *
   * @param lastId the greatest id that Redis knows of the stream
   */
  isOlder(lastId: string): boolean {
    return this.#lastId !== null && isAfter(this.#lastId, lastId);
  }

  /** The stream is another one from now on, or an older state of it. @param lastId nothing after it was read */
  became(added: number, lastId: string): void {
    this.#added = added;
    this.#lastId = lastId;
  }

  /** Whether this is the stream that was read, and not another one under its name. */
  isSame({ length, added, firstId }: StreamInfo): boolean {
    if (added < this.#added) return false;
    // Without a group nothing leaves a new stream, and its ids come after those of the old one.
    return length < added || this.#lastId === null || (firstId !== null && !isAfter(firstId, this.#lastId));
  }

  /** Whether everything in the stream was delivered to this reader, which stores it. */
  get isDrained(): boolean {
    return this.#isDrained;
  }
}

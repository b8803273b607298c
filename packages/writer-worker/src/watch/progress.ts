/**
 * Notes signs of life of the consumer: the start and end of each read, even an empty one; the end of each try of a
 * transaction, even a failed one, and each step in it; each try of an acknowledgement. An outage, a stall and an empty
 * queue still give such signs, because reads return and tries repeat. A consumer that gives none needs a restart.
 *
 * One activity that hangs counts, whatever else happens: a transaction that never ends holds its entries for good.
 */
export class Progress {
  readonly #now: () => number;
  readonly #movedAt = new Map<Activity, number>();
  #lastAt: number;
  #signs = 0;

  /** @param now a monotonic clock, in milliseconds */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#lastAt = now();
  }

  /** Number of signs of life so far. */
  get signs(): number {
    return this.#signs;
  }

  /** Notes a sign of life of the consumer as a whole. */
  moved(): void {
    this.#lastAt = this.#now();
    this.#signs += 1;
  }

  /** Runs `work` as an activity. `work` may call its argument as a sign of life. */
  async during<T>(doing: string, detail: Activity['detail'], work: (moved: () => void) => Promise<T>): Promise<T> {
    const activity: Activity = { doing, detail };
    const moved = (): void => {
      this.moved();
      this.#movedAt.set(activity, this.#lastAt);
    };
    moved();
    try {
      return await work(moved);
    } finally {
      this.#movedAt.delete(activity);
      this.moved();
    }
  }

  /** The longest silence: of one activity, or of the consumer as a whole. */
  standstill(): Standstill {
    const now = this.#now();
    let longest: Standstill = { ms: now - this.#lastAt, activity: null };
    for (const [activity, movedAt] of this.#movedAt) {
      if (now - movedAt >= longest.ms) longest = { ms: now - movedAt, activity };
    }
    return longest;
  }
}

/** How long the consumer has given no sign of life. */
export interface Standstill {
  readonly ms: number;
  /** The activity that has been silent for as long; null when there is no activity at all. */
  readonly activity: Activity | null;
}

/** Something that the consumer is doing. It must end, or give signs of life, without help. */
export interface Activity {
  /** What it is, e.g. `read`. */
  readonly doing: string;
  /** What it holds or waits for; `/live` shows it when the activity hangs. */
  readonly detail: Readonly<Record<string, unknown>>;
}

/** Something that the consumer has under way and that must end, or move on, by itself. */
export interface Activity {
  /** What it is, e.g. `read`. */
  readonly doing: string;
  /** What it holds or waits for; shown to whoever asks why the writer is stuck. */
  readonly detail: Readonly<Record<string, unknown>>;
}

/** How long the consumer has not moved. */
export interface Standstill {
  readonly ms: number;
  /** What has stood still for as long; null when nothing is under way and nothing begins. */
  readonly activity: Activity | null;
}

/**
 * Notes signs of life of the consumer: each beginning and each return of a read, also an empty one; each end of a try
 * of a transaction, also a failed one, and each step in it; each try of an acknowledgement. An outage, a stall and an
 * empty queue all go on giving such signs, because reads return and tries are made again; what gives none is beyond help
 * by anybody outside.
 *
 * A single thing that hangs counts, whatever else goes on: a transaction that never ends holds its entries for good.
 */
export class Progress {
  readonly #now: () => number;
  readonly #movedAt = new Map<Activity, number>();
  #lastAt: number;
  #signs = 0;

  /** @param now a clock in milliseconds that never goes back */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#lastAt = now();
  }

  /** How many signs of life there were. */
  get signs(): number {
    return this.#signs;
  }

  /** Notes a sign of life of the consumer as a whole. */
  moved(): void {
    this.#lastAt = this.#now();
    this.#signs += 1;
  }

  /** Does what must end by itself. `work` may call what it is given as a sign that it moves on. */
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

  /** The longest that anything under way has not moved, or that nothing has, whichever is longer. */
  standstill(): Standstill {
    const now = this.#now();
    let longest: Standstill = { ms: now - this.#lastAt, activity: null };
    for (const [activity, movedAt] of this.#movedAt) {
      if (now - movedAt >= longest.ms) longest = { ms: now - movedAt, activity };
    }
    return longest;
  }
}

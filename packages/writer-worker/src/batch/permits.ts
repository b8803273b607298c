/** A counting semaphore. Waiters are served first come, first served. */
export class Permits {
  #free: number;
  readonly #waiting: ((release: () => void) => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  /** @returns a function that gives the permit back; calling it again does nothing */
  take(): Promise<() => void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#hand();
    });
  }

  #hand(): void {
    while (this.#free > 0 && this.#waiting.length > 0) {
      this.#free -= 1;
      let given = true;
      this.#waiting.shift()?.(() => {
        if (!given) return;
        given = false;
        this.#free += 1;
        this.#hand();
      });
    }
  }
}

/** Pseudo-random numbers that are the same in each run, so that every run asks the same questions. */
export interface Random {
  /** A whole number from 0 to `limit` - 1. */
  below(this: void, limit: number): number;
  pick<T>(this: void, values: readonly T[]): T;
}

/** Mulberry32, by Tommy Ettinger (public domain): small, and even enough to choose questions with. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    below: (limit) => Math.floor(next() * limit),
    pick(values) {
      const value = values[Math.floor(next() * values.length)];
      if (value === undefined) throw new Error('there is nothing to pick from');
      return value;
    },
  };
}

/** A source of random choices that gives the same ones for the same seed, so that a failure can be seen again. */
export interface Random {
  /** A whole number from 0 to `below` − 1. */
  int(below: number): number;
  pick<T>(choices: readonly T[]): T;
  /** An array of up to `most` things. */
  list<T>(most: number, make: () => T): T[];
}

/** The generator mulberry32. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const int = (below: number): number => Math.floor(next() * below);
  return {
    int,
    pick: (choices) => choices[int(choices.length)]!,
    list: (most, make) => Array.from({ length: int(most + 1) }, make),
  };
}

/** Runs a property with a hundred seeds; the one that fails is in the message. */
export function forSeeds(property: (random: Random) => void, count = 100): void {
  for (let seed = 1; seed <= count; seed += 1) {
    try {
      property(seededRandom(seed));
    } catch (error) {
      throw new Error(`with seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
  }
}

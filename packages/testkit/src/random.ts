import { seededRandom as plainRandom } from './seeded-random.ts';

/** A source of random choices that are the same for the same seed, so that a failure can be reproduced. */
export interface Random {
  /** A whole number from 0 to `below` − 1. */
  int(this: void, below: number): number;
  pick<T>(this: void, choices: readonly T[]): T;
  /** An array of up to `most` items. */
  list<T>(this: void, most: number, make: () => T): T[];
}

/** The benchmarks' generator, with lists. */
export function seededRandom(seed: number): Random {
  const { below: int, pick } = plainRandom(seed);
  return { int, pick, list: (most, make) => Array.from({ length: int(most + 1) }, make) };
}

/** Runs a property with a hundred seeds; the message names the seed that fails. */
export function forSeeds(property: (random: Random) => void, count = 100): void {
  for (let seed = 1; seed <= count; seed += 1) {
    try {
      property(seededRandom(seed));
    } catch (error) {
      throw new Error(`with seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
  }
}

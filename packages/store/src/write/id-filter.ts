/** Bits that one id sets. With 16 bits an id, 6 of them make one unknown id in a thousand look known. */
const PROBES = 6;
const BITS_PER_ID = 16;

/**
 * A Bloom filter of event ids (https://doi.org/10.1145/362686.362692): says `false` only of ids that were never added. It
 * takes 2 to 4 bytes an id.
 */
export class IdFilter {
  readonly #words: Uint32Array;
  readonly #mask: number;

  /** @param ids how many will be added; more make more unknown ids look known */
  constructor(ids: number) {
    const bits = 2 ** Math.ceil(Math.log2(Math.max(1_024, ids * BITS_PER_ID)));
    // Positions are 32 bits: a filter of 268 million ids.
    this.#words = new Uint32Array(Math.min(bits, 2 ** 32) / 32);
    this.#mask = Math.min(bits, 2 ** 32) - 1;
  }

  get bytes(): number {
    return this.#words.byteLength;
  }

  /** @param hash of `hashId` */
  add({ first, step }: IdHash): void {
    for (let probe = 0, at = first; probe < PROBES; probe += 1, at = (at + step) | 0) {
      const bit = (at & this.#mask) >>> 0;
      this.#words[bit >>> 5]! |= 1 << (bit & 31);
    }
  }

  /** @param hash of `hashId` */
  has({ first, step }: IdHash): boolean {
    for (let probe = 0, at = first; probe < PROBES; probe += 1, at = (at + step) | 0) {
      const bit = (at & this.#mask) >>> 0;
      if ((this.#words[bit >>> 5]! & (1 << (bit & 31))) === 0) return false;
    }
    return true;
  }
}

/** Where an id's bits begin, and how far they lie apart. */
export interface IdHash {
  first: number;
  step: number;
}

/**
 * Hashes 16 bytes. Ids are hashed although most are random: those of version 7 and 1 begin with a time, and derived ones may
 * have anything.
 *
 * @param into is filled and returned, which spares an object for each id
 */
export function hashId(bytes: Buffer, at: number, into: IdHash = { first: 0, step: 0 }): IdHash {
  let a = 0x9e3779b9 ^ bytes.readInt32LE(at);
  let b = 0x85ebca6b ^ bytes.readInt32LE(at + 4);
  a = mix(a ^ bytes.readInt32LE(at + 8));
  b = mix(b ^ bytes.readInt32LE(at + 12) ^ a);
  into.first = mix(a ^ b);
  into.step = b | 1;
  return into;
}

/** The finalizer of MurmurHash3: every bit of the input changes half of the output's. */
function mix(value: number): number {
  let mixed = value;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

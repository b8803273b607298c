/** A decoded body in the memory of this process, from its first byte to the end of the answer. */
export interface HeldBody {
  readonly bytes: number;
  /** Adds a part. Returns false, and adds nothing, when all bodies together would be too large. */
  add(bytes: number): boolean;
  /** Call it once the request is over. Nothing can be added after it. */
  release(): void;
}

/** The decoded bodies of all requests in flight. */
export interface HeldBodies {
  /** Of all together. */
  readonly bytes: number;
  /** Begins a body, of no bytes yet. */
  begin(): HeldBody;
}

/** @param maxBytes most bytes of all bodies together; one body alone may always be held */
export function createHeldBodies(maxBytes: number): HeldBodies {
  let held = 0;
  return {
    get bytes() {
      return held;
    },
    begin() {
      let bytes = 0;
      let isOver = false;
      return {
        get bytes() {
          return bytes;
        },
        add(more) {
          const others = held - bytes;
          if (isOver || (others > 0 && held + more > maxBytes)) return false;
          bytes += more;
          held += more;
          return true;
        },
        release() {
          isOver = true;
          held -= bytes;
          bytes = 0;
        },
      };
    },
  };
}

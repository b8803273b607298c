/** What the exit code of every command means; `sluice --help` lists the same. */
export const EXIT = {
  ok: 0,
  /** The server refused, or a replay ended with failures. */
  failed: 1,
  /** Wrong options or arguments. */
  usage: 2,
  /** The query API cannot be reached. */
  unreachable: 3,
  /** The command asked first, and the answer was no. */
  declined: 4,
} as const;

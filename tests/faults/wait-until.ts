import { setTimeout as delay } from 'node:timers/promises';

const ASK_EVERY_MS = 20;

/** The condition did not become true in time. */
class NotInTimeError extends Error {}

/**
 * Waits until `check` returns true. A check that throws (a server is away) counts as false.
 *
 * @throws NotInTimeError naming what was waited for, and what the check threw last
 */
export async function waitUntil(
  what: string,
  check: () => Promise<boolean> | boolean,
  withinMs = 240_000,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  let last: Error | undefined;
  for (;;) {
    try {
      last = undefined;
      if (await check()) return;
    } catch (error) {
      last = error as Error;
    }
    if (performance.now() > deadline) {
      const because = last === undefined ? '' : ` (${last.message})`;
      throw new NotInTimeError(`${what}: not within ${Math.round(withinMs)} ms${because}`);
    }
    await delay(ASK_EVERY_MS);
  }
}

import { setTimeout as delay } from 'node:timers/promises';

const READY_WITHIN_MS = 300_000;
const ASK_EVERY_MS = 50;

/**
 * Waits until a daemon's `GET /ready` answers 200. It listens earlier, and what it depends on (such as the writer's
 * tables) may come a moment later. Throws after five minutes with its last answer, or when the signal aborts.
 */
export async function untilReady(name: string, url: string, signal: AbortSignal): Promise<void> {
  const deadline = Date.now() + READY_WITHIN_MS;
  for (;;) {
    let said: string;
    try {
      const answer = await fetch(`${url}/ready`, { signal });
      said = await answer.text();
      if (answer.ok) return;
    } catch (error) {
      signal.throwIfAborted();
      said = String((error as Error).cause ?? error);
    }
    if (Date.now() > deadline) throw new Error(`${name} is not ready after ${READY_WITHIN_MS / 1000} s: ${said}`);
    await delay(ASK_EVERY_MS, undefined, { signal });
  }
}

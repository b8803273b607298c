import { once } from 'node:events';
import type { Logger } from '@sluice/daemon/log/logger';
import { messageOf } from '@sluice/errors/message-of';
import type { RawEntry } from '@sluice/store/write/decode-entry';
import type { Outcome } from '../batch/outcome.ts';

/**
 * Runs suspected entries one at a time, each while nothing else is in work, so that a crash can only be due to that one.
 * While it holds any, nothing new is fetched.
 */
export class SuspectRunner {
  readonly #options: SuspectOptions;
  readonly #waiting = new Map<string, RawEntry>();
  readonly #events = new EventTarget();
  #running: Promise<void> | undefined;

  constructor(options: SuspectOptions) {
    this.#options = options;
    options.stopFetching.addEventListener('abort', () => this.changed(), { once: true });
  }

  get size(): number {
    return this.#waiting.size;
  }

  has(id: string): boolean {
    return this.#waiting.has(id);
  }

  add(id: string, entry: RawEntry): void {
    this.#waiting.set(id, entry);
    this.#running ??= this.#run();
  }

  /** Call it when other work has ended. */
  changed(): void {
    this.#events.dispatchEvent(new Event('change'));
  }

  /** @param listener called each time a suspect has run */
  onDone(listener: () => void): void {
    this.#events.addEventListener('done', listener);
  }

  /** Resolves when no suspect is running. After a stop none is begun. */
  async ended(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    const { runAlone, isIdle, logger, stopFetching } = this.#options;
    for (const [id, entry] of this.#waiting) {
      while (!isIdle() && !stopFetching.aborted) await once(this.#events, 'change');
      if (stopFetching.aborted) return;
      try {
        await runAlone(entry);
      } catch (error) {
        // Redis did not accept the note or the answer: the entry stays pending and is delivered again.
        logger.warn({ entry: entry.id, error: messageOf(error) }, 'a suspected entry could not be run alone');
      }
      this.#waiting.delete(id);
      this.#events.dispatchEvent(new Event('done'));
    }
    // Here and not when the promise resolves: a suspect that is added in between would never run.
    this.#running = undefined;
  }
}

/** How to run a suspect, and when. */
export interface SuspectOptions {
  readonly runAlone: (entry: RawEntry) => Promise<Outcome>;
  /** True when no other entry is in work. */
  readonly isIdle: () => boolean;
  readonly logger: Logger;
  readonly stopFetching: AbortSignal;
}

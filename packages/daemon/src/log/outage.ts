import { messageOf } from '@sluice/errors/message-of';

/** Remembers why repeated tries fail, so that the log has a line when the reason changes and not at each try. */
export class Outage {
  #reason: string | null = null;

  /** @returns the reason, for the log; null when the try before failed for the same one */
  news(error: unknown): string | null {
    const reason = messageOf(error);
    if (reason === this.#reason) return null;
    this.#reason = reason;
    return reason;
  }

  /**
   * Call it after a success: the next failure is news, whatever its reason.
   *
   * @returns whether the try before failed
   */
  over(): boolean {
    const failed = this.#reason !== null;
    this.#reason = null;
    return failed;
  }
}

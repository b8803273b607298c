import { messageOf } from '@sluice/errors/message-of';

/** Why something that is tried again and again does not work: worth a line in the log when it changes, not at each try. */
export class Outage {
  #reason: string | null = null;

  /** @returns the reason, for the log; null when it is the one of the try before */
  news(error: unknown): string | null {
    const reason = messageOf(error);
    if (reason === this.#reason) return null;
    this.#reason = reason;
    return reason;
  }

  /**
   * It works again: the next failure is news, whatever its reason.
   *
   * @returns whether it did not work before
   */
  over(): boolean {
    const failed = this.#reason !== null;
    this.#reason = null;
    return failed;
  }
}

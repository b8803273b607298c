import { Outage } from '../log/outage.ts';

/** Something that is done again and again. */
export interface Poll {
  /**
   * Does a turn that begins after this call: at once, or after the one that is running. Calls that wait share it.
   * Never rejects.
   */
  now(): Promise<void>;
  /** Begins no further turn, and resolves when the running one has ended. May be called again. */
  stop(): Promise<void>;
}

/** What is polled, and who is notified when it fails. */
export interface PollOptions {
  /** From the beginning of a turn to the beginning of the next, in milliseconds. */
  readonly everyMs: number;
  readonly turn: () => Promise<void>;
  /** Turns are left out while this is false. */
  readonly when?: () => boolean;
  /** Called once for each new reason of an outage, not at each turn. */
  readonly onFailing: (reason: string) => void;
  /** Called at the first success after an outage. */
  readonly onRecovered?: () => void;
}

/**
 * Does a turn every `everyMs` until it is stopped; the first one after `everyMs`, or with `now()`. Turns never overlap:
 * one that is due while another runs is left out, so that a server that does not answer has one question to answer. A
 * turn that fails ends nothing. Does not keep the process alive.
 */
export function poll({ everyMs, turn, when, onFailing, onRecovered }: PollOptions): Poll {
  const outage = new Outage();
  let stopped = false;
  let running: Promise<void> | null = null;
  let next: Promise<void> | null = null;

  async function takeTurn(): Promise<void> {
    if (stopped || when?.() === false) return;
    try {
      await turn();
      if (outage.over()) onRecovered?.();
    } catch (error) {
      const reason = outage.news(error);
      if (reason !== null) onFailing(reason);
    }
  }

  function begin(): Promise<void> {
    running = takeTurn().finally(() => {
      running = null;
    });
    return running;
  }

  function now(): Promise<void> {
    if (running === null) return begin();
    next ??= running.then(() => {
      next = null;
      return begin();
    });
    return next;
  }

  const timer = setInterval(() => {
    if (running === null) void begin();
  }, everyMs).unref();

  return {
    now,
    async stop() {
      stopped = true;
      clearInterval(timer);
      await (next ?? running);
    },
  };
}

import { Outage } from '../log/outage.ts';

/** Work that is repeated on a timer. */
export interface Poll {
  /**
   * Runs a turn that begins after this call: at once, or after the one that is running. Calls that wait share one turn.
   * Never rejects.
   */
  now(): Promise<void>;
  /** Starts no further turn, and resolves when the running one has ended. May be called more than once. */
  stop(): Promise<void>;
}

/** What to poll, how often, and what to call when it fails. */
export interface PollOptions {
  /** From the start of a turn to the start of the next, in milliseconds. */
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
 * Runs a turn every `everyMs` until it is stopped. The first one runs after `everyMs`, or with `now()`. Turns never
 * overlap: one that is due while another runs is left out, so that a server that hangs gets one request and not many. A
 * turn that fails does not end the poll. The poll does not keep the process alive.
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

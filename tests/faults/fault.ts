import type { Random } from '@sluice/testkit/random';
import type { FaultRig, RigSetup } from './fault-rig.ts';
import type { Load, LoadOptions } from './load.ts';

/** One way in which something breaks, and what must hold nevertheless. */
export interface Fault {
  readonly name: string;
  /** What the fault does, in one sentence. */
  readonly does: string;
  /**
   * I3: time after `run` ended until a new batch is acked, all is stored and every daemon reports that it is ready, on
   * a machine that is otherwise idle. A busy machine gets more, by its load.
   */
  readonly recoversWithinMs: number;
  readonly setup?: RigSetup;
  readonly load?: Partial<LoadOptions>;
  /** Why it cannot be done on this machine; null when it can. */
  readonly unavailable?: () => Promise<string | null>;
  /** Breaks something under load and repairs it. Whatever it throws is a violation. */
  run(context: FaultContext): Promise<void>;
  /** Checks this fault's own claims, once all is drained and before the daemons stop. Whatever it throws is a violation. */
  prove?(context: FaultContext): Promise<void>;
}

/** What a fault works with. */
export interface FaultContext {
  readonly random: Random;
  readonly rig: FaultRig;
  readonly load: Load;
  readonly report: (line: string) => void;
  /** Runs `work` while nothing can be queued (I4): no request sent and answered meanwhile may be acked. */
  readonly whileQueueIsAway: <T>(work: () => Promise<T>) => Promise<T>;
  /** Records that the queue was emptied by force just now: events acked before may be lost. */
  readonly queueWasWiped: () => void;
}

/** The claim failed; the message says how. */
export function claim(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new Error(otherwise);
}

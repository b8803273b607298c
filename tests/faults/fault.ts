import type { Random } from '@sluice/testkit/random';
import type { FaultRig, RigSetup } from './fault-rig.ts';
import type { Load, LoadOptions } from './load.ts';

/** One way in which the world breaks, and what must hold all the same. */
export interface Fault {
  readonly name: string;
  /** What is done, in one sentence. */
  readonly does: string;
  /**
   * I3: how long after `run` ended a new batch may take to be acked, all to be stored and every daemon to say
   * that it is ready, on a machine that is idle otherwise. A busy one gets more, by its load.
   */
  readonly recoversWithinMs: number;
  readonly setup?: RigSetup;
  readonly load?: Partial<LoadOptions>;
  /** Why it cannot be done on this machine; null when it can. */
  readonly unavailable?: () => Promise<string | null>;
  /** Breaks something under load and mends it. What it throws is a violation. */
  run(context: FaultContext): Promise<void>;
  /** Claims of this fault's own, once all is drained and before the daemons stop. What it throws is a violation. */
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
  /** Says that the queue was emptied by force just now: what was acked before and is not stored is the permitted loss. */
  readonly queueWasWiped: () => void;
}

/** The claim failed; the message says how. */
export function claim(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new Error(otherwise);
}

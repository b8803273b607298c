import { setTimeout as delay } from 'node:timers/promises';
import { commandOf } from './process-info.ts';

/** How often to look whether a process that is not our child has ended; nothing announces it. */
const LOOK_EVERY_MS = 20;

export interface OrphanOptions {
  pid: number;
  /** Tells by its command line whether the pid really is the process meant: pids are used again. */
  isIt: (command: string) => boolean;
  /**
   * Sent in this order, each with its own patience; a SIGKILL follows when all of them did nothing.
   * A 0 sends nothing: it only waits for a process that is already on its way out.
   */
  signals: (NodeJS.Signals | 0)[];
  patienceMs: number;
}

/**
 * Ends a process that an earlier supervisor left behind and waits until it is gone.
 * Answers whether there was one. Throws when it survives even SIGKILL or is not ours to signal.
 */
export async function stopOrphan({ pid, isIt, signals, patienceMs }: OrphanOptions): Promise<boolean> {
  const lives = async () => {
    const command = await commandOf(pid);
    return command !== undefined && isIt(command);
  };
  if (!(await lives())) return false;
  for (const signal of [...signals, 'SIGKILL'] as const) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
    const deadline = Date.now() + patienceMs;
    while (Date.now() < deadline) {
      if (!(await lives())) return true;
      await delay(LOOK_EVERY_MS);
    }
  }
  throw new Error(`process ${pid}, left by an earlier run, could not be stopped; end it by hand and start again`);
}

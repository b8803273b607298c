import { setTimeout as delay } from 'node:timers/promises';
import { commandOf } from './process-info.ts';

/** How often to check whether a process that is not our child has ended; the system does not notify us. */
const CHECK_EVERY_MS = 20;

export interface OrphanOptions {
  pid: number;
  /** Checks by its command line whether the pid is the process meant: pids are reused. */
  isIt: (command: string) => boolean;
  /**
   * Sent in this order, each with its own wait; a SIGKILL follows when none of them ended the process.
   * A 0 sends nothing: it only waits for a process that is already stopping.
   */
  signals: (NodeJS.Signals | 0)[];
  patienceMs: number;
}

/**
 * Ends a process that an earlier supervisor left running, and waits until it is gone.
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
      await delay(CHECK_EVERY_MS);
    }
  }
  throw new Error(`process ${pid}, left by an earlier run, could not be stopped; end it by hand and start again`);
}

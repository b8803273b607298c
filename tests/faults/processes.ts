import { setTimeout as delay } from 'node:timers/promises';
import { waitUntil } from './wait-until.ts';

/** Sends SIGKILL; resolves when the process is gone. */
export async function killProcess(pid: number): Promise<void> {
  process.kill(pid, 'SIGKILL');
  await processGone(pid);
}

/** Resolves when a process has ended by itself. */
export async function processGone(pid: number): Promise<void> {
  await waitUntil(`process ${pid} is gone`, () => !isAlive(pid));
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Freezes processes (SIGSTOP), runs the work, and resumes them (SIGCONT) even when it failed. */
export async function whileFrozen(pid: number, work: () => Promise<void>): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  try {
    await work();
  } finally {
    process.kill(pid, 'SIGCONT');
  }
}

/** For faults that are a duration themselves. Everything else waits for a condition. */
export async function lasts(ms: number): Promise<void> {
  await delay(ms);
}

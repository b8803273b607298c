import type { ChildProcess } from 'node:child_process';
import { withTimeout } from '@sluice/daemon/retry/with-timeout';

/** How a process ended: its exit code, or the signal that ended it. */
export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** Resolves once the child has ended; rejects when it could not be started at all. */
export function exitOf(child: ChildProcess): Promise<Exit> {
  const exited = new Promise<Exit>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  // A caller that awaits it still gets the rejection. Without this, a failed spawn that is not awaited yet ends the process.
  exited.catch(() => {});
  return exited;
}

/** `exit code 1` or `SIGKILL`. */
export function describeExit({ code, signal }: Exit): string {
  return signal ?? `exit code ${code}`;
}

/** Resolves to true when the process ends within `ms`, else to false. */
export async function endsWithin(exited: Promise<Exit>, ms: number): Promise<boolean> {
  const ended = exited.then(
    () => true,
    () => true,
  );
  return withTimeout(ended, ms).catch(() => false);
}

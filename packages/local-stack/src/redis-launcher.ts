import type { ChildProcess } from 'node:child_process';

/** Starts one kind of server on a folder, and ends one that an earlier run left there. */
export interface RedisLauncher {
  stopOrphan(): Promise<void>;
  spawn(port: number, settings: Record<string, string>, output: number): ChildProcess;
  /** Whether the server that answers on the port is the one that was spawned, judged by its own process id. */
  isOurs(info: { processId: number }, child: ChildProcess): boolean;
}

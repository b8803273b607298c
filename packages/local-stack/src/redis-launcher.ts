import type { ChildProcess } from 'node:child_process';

/** How one kind of server is started on a folder, and how one left behind on it is ended. */
export interface RedisLauncher {
  stopOrphan(): Promise<void>;
  spawn(port: number, settings: Record<string, string>, output: number): ChildProcess;
  /** Whether the server that answers on the port is the one that was spawned, by what it says of itself. */
  isOurs(info: { processId: number }, child: ChildProcess): boolean;
}

import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * Reads the command line of a process, arguments separated by spaces. Undefined when there is no such process
 * or only its zombie is left. Linux is read from /proc, because slim images have no `ps`.
 */
export async function commandOf(pid: number): Promise<string | undefined> {
  if (process.platform !== 'linux') return psField(pid, 'command');
  try {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8');
    return command.replaceAll('\0', ' ').trim() || undefined;
  } catch {
    return undefined;
  }
}

/**
 * Reads when a process started, in the system's own unit. It only serves to check whether a pid is still the same
 * process: pids are reused, the pair of pid and start time is not. Undefined when the process is gone.
 */
export async function startTimeOf(pid: number): Promise<string | undefined> {
  if (process.platform !== 'linux') return psField(pid, 'lstart');
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The second field is the name in parentheses, which may itself contain spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, startTime] = [fields[0], fields[19]];
    return state === 'Z' || state === 'X' ? undefined : startTime;
  } catch {
    return undefined;
  }
}

async function psField(pid: number, field: 'command' | 'lstart'): Promise<string | undefined> {
  try {
    const { stdout } = await run('ps', ['-ww', '-o', `${field}=`, '-p', String(pid)]);
    return stdout.trim() || undefined;
  } catch {
    return undefined;
  }
}

import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { COMPILE_CACHE } from './compile-cache.ts';

/** A command's exit code and output. */
export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a TypeScript file as a command, without a terminal.
 *
 * @param env all of its environment but PATH
 * @param input what it reads from standard input
 */
export async function runCommand(
  file: string,
  args: readonly string[],
  options: { env?: Record<string, string>; cwd: string; input?: string },
): Promise<CommandResult> {
  const env = { PATH: process.env['PATH'], ...COMPILE_CACHE, ...options.env };
  const child = spawn(process.execPath, [file, ...args], { cwd: options.cwd, env, stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin.end(options.input ?? '');
  const [stdout, stderr, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise<number | null>((resolve) => child.once('close', resolve)),
  ]);
  return { code, stdout, stderr };
}

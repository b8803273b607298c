import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';

/** A shell in a pseudo-terminal, into which commands are typed. */
export interface TypedShell {
  /**
   * Types lines and waits until the shell has run them.
   *
   * @returns what the terminal showed meanwhile, without what was typed
   * @throws when a command failed, with what the terminal showed
   */
  type(lines: string): Promise<string>;
  close(): Promise<void>;
}

/** Whether this machine has the `script` of util-linux, which makes the terminal. */
export function canTypeIntoShell(): boolean {
  const { stdout } = spawnSync('script', ['--version'], { encoding: 'utf8' });
  return (stdout ?? '').includes('util-linux');
}

/** @param env all of its environment, PATH included */
export function openTypedShell(cwd: string, env: Record<string, string | undefined>): TypedShell {
  const child = spawn('script', ['--quiet', '--command', 'bash --norc --noprofile', '/dev/null'], {
    cwd,
    env: { TERM: 'dumb', PS1: '', PS2: '', ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let shown = '';
  let notify: (() => void) | null = null;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text;
    notify?.();
  });
  child.once('exit', () => {
    shown += '\nthe shell has ended';
    notify?.();
  });
  // Typed text is not echoed, and a failed command reports it.
  child.stdin.write(`stty -echo; bind 'set enable-bracketed-paste off'; trap 'echo "FAILED with $?"' ERR\n`);
  let typed = 0;
  return {
    async type(lines) {
      typed += 1;
      const from = shown.length;
      const end = `END-OF-${typed}`;
      // In two parts, so that its echo is not mistaken for its output.
      child.stdin.write(`${lines.trimEnd()}\necho END-OF"-${typed}"\n`);
      while (!shown.slice(from).includes(end) && child.exitCode === null) {
        await new Promise<void>((resolve) => {
          notify = resolve;
        });
      }
      const output = shown.slice(from).split(end)[0]!;
      if (/FAILED with \d+/.test(output) || child.exitCode !== null)
        throw new Error(`a command failed:\n${lines}\n${output}`);
      return output.replaceAll('\r\n', '\n');
    },
    async close() {
      child.stdin.end('exit\n');
      if (child.exitCode === null) await once(child, 'exit');
    },
  };
}

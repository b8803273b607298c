import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { HELP, listOfSuites, readOptions } from './long-options.ts';
import type { Command, LongSuite } from './suites.ts';

const REPOSITORY = resolve(import.meta.dirname, '../..');

// A terminal sends Ctrl-C to the running suite as well; this process ends when the suite has.
process.on('SIGINT', () => {});

const options = readOptions(process.argv.slice(2));
if (options.kind === 'mistake') {
  process.stderr.write(`${options.message}\n`);
  process.exit(2);
}
if (options.kind === 'run') process.exit(await runAll(options.suites, options.short));
process.stdout.write(options.kind === 'help' ? HELP : listOfSuites());

/** Runs the suites one after the other, also after a failed one. Answers the exit code. */
async function runAll(suites: readonly LongSuite[], short: boolean): Promise<number> {
  const failed: string[] = [];
  for (const suite of suites) {
    const startedAt = performance.now();
    say(`test:long ${suite.name}${short ? ' --short' : ''}: ${suite.proves}`);
    let held = true;
    for (const command of short ? suite.short : suite.full) held = (await succeeds(command)) && held;
    if (!held) failed.push(suite.name);
    say(`test:long ${suite.name}: ${held ? 'passed' : 'FAILED'} in ${seconds(performance.now() - startedAt)} s`);
  }
  if (suites.length > 1) {
    say(
      failed.length === 0 ? `all ${suites.length} long suites passed` : `long suites that failed: ${failed.join(', ')}`,
    );
  }
  return failed.length === 0 ? 0 : 1;
}

async function succeeds([program, ...args]: Command): Promise<boolean> {
  // process.execPath and not `node`: the `node` on PATH may be another one, or a wrapper.
  const child = spawn(program === 'node' ? process.execPath : program, args, { cwd: REPOSITORY, stdio: 'inherit' });
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  if (signal === 'SIGINT' || code === 130) process.exit(130);
  return code === 0;
}

function say(line: string): void {
  process.stdout.write(`\n${line}\n`);
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(0);
}

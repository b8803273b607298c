import { writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import { callersPath, readStackEnvironment } from '@sluice/local-stack/config';
import { benchHelp, parseBenchOptions } from './bench-options.ts';
import { createProgress } from './progress.ts';
import { SUITES } from './suites/suites.ts';

const EXIT_OK = 0;
const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const EXIT_STOPPED = 130;

process.exitCode = await main();

async function main(): Promise<number> {
  let parsed: ReturnType<typeof parseBenchOptions>;
  try {
    parsed = parseBenchOptions(
      process.argv.slice(2),
      SUITES.map(({ name }) => name),
    );
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\nSee: npx pnpm@12 bench --help\n`);
    return EXIT_USAGE;
  }
  if (parsed === null) {
    process.stdout.write(benchHelp(SUITES));
    return EXIT_OK;
  }
  const env = readStackEnvironment();
  const { chosen } = parsed;
  const svg = parsed.options.svg === undefined ? undefined : callersPath(env, parsed.options.svg);
  const options = { ...parsed.options, svg };
  const stopped = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopped.abort());
  const progress = createProgress(process.stderr);
  const suites: Record<string, unknown> = {};
  try {
    for (const suite of SUITES.filter(({ name }) => chosen.includes(name))) {
      const load = loadavg()[0] ?? 0;
      const { text, json } = await suite.run(options, { path: env['PATH'], progress, signal: stopped.signal });
      progress.stop();
      const machine = `${availableParallelism()} cores, load ${load.toFixed(1)} at the start, rounds: ${options.rounds}`;
      process.stdout.write(`\n## ${suite.name}\n\n${machine}\n\n${text}\n`);
      suites[suite.name] = { loadAtStart: load, ...(json as object) };
      // After each: hours of figures must not be lost to the last suite.
      if (options.out !== undefined) {
        const all = { at: new Date().toISOString(), machine: describeMachine(), options, suites };
        await writeFile(callersPath(env, options.out), `${JSON.stringify(all, null, 2)}\n`);
      }
    }
    return EXIT_OK;
  } catch (error) {
    progress.stop();
    if (stopped.signal.aborted) return EXIT_STOPPED;
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
    return EXIT_FAILED;
  }
}

function describeMachine() {
  return {
    cores: availableParallelism(),
    processor: cpus()[0]?.model ?? 'unknown',
    memoryMiB: Math.round(totalmem() / 1024 / 1024),
    node: process.version,
  };
}

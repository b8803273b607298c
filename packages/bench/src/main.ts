import { callersPath, readStackEnvironment } from '@sluice/local-stack/config';
import { onStopSignals } from '@sluice/local-stack/stop-signals';
import { benchHelp, parseBenchOptions } from './bench-options.ts';
import { checkFiles } from './check-files.ts';
import { createProgress } from './progress.ts';
import { runSuites } from './run-suites.ts';
import { SUITES } from './suites/suites.ts';

const EXIT_OK = 0;
const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
/** What a shell reports for a command that Ctrl-C ended. */
const EXIT_STOPPED = 130;

process.exitCode = await main();

async function main(): Promise<number> {
  // A closed pipe (`bench all | head`) or terminal must not end us before servers are stopped.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  const env = readStackEnvironment();
  let parsed: ReturnType<typeof prepare>;
  try {
    parsed = prepare(env);
    if (parsed !== null) await checkFiles(parsed.options);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\nSee: npx -y pnpm@12 bench --help\n`);
    return EXIT_USAGE;
  }
  if (parsed === null) {
    process.stdout.write(benchHelp(SUITES));
    return EXIT_OK;
  }
  const { chosen, options } = parsed;
  const progress = createProgress(process.stderr);
  const stopped = new AbortController();
  const forced = new AbortController();
  const ignoreSignals = onStopSignals({
    stop: () => {
      progress.line('stopping in order; Ctrl-C again to stop at once');
      stopped.abort();
    },
    force: () => {
      if (forced.signal.aborted) return;
      progress.line('stopping at once');
      // Connections report that their servers were killed, each in its own way. Nothing can be done about it any more.
      process.on('uncaughtException', () => {});
      forced.abort();
    },
  });
  const suites = SUITES.filter(({ name }) => chosen.includes(name));
  const context = { path: env['PATH'], progress, signal: stopped.signal, forced: forced.signal };
  const wentWell = await runSuites(suites, options, context, { out: options.out, env });
  ignoreSignals();
  // Anything that missed the abort would keep this process alive. Peers and daemons end with it.
  if (forced.signal.aborted) process.exit(EXIT_STOPPED);
  if (stopped.signal.aborted) {
    progress.line('stopped');
    return EXIT_STOPPED;
  }
  return wentWell ? EXIT_OK : EXIT_FAILED;
}

/** Reads the command line, with files relative to the caller's folder; null when only help is wanted. */
function prepare(env: NodeJS.ProcessEnv) {
  const parsed = parseBenchOptions(
    process.argv.slice(2),
    SUITES.map(({ name }) => name),
  );
  if (parsed === null) return null;
  const { chosen, options } = parsed;
  const what = chosen.length === 1 ? chosen[0] : 'all';
  // Figures of a quick run must not replace real ones.
  const out = options.out ?? `bench-${what}${options.quick ? '-quick' : ''}.json`;
  const path = (file: string | undefined) => (file === undefined ? undefined : callersPath(env, file));
  return {
    chosen,
    options: { ...options, out: callersPath(env, out), svg: path(options.svg), edits: path(options.edits) },
  };
}

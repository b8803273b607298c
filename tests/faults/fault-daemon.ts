import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { launchDaemon, type RunningDaemon } from '@sluice/local-stack/launch-daemon';
import { COMPILE_CACHE } from '@sluice/testkit/compile-cache';
import type { MemoryWatch } from './memory-watch.ts';

const REPOSITORY = resolve(import.meta.dirname, '../..');

/** A daemon that a fault may kill and start again. Its log continues over all runs. */
export interface FaultDaemon {
  readonly name: string;
  /** Of its latest run. */
  readonly url: string;
  readonly pid: number;
  signal(name: NodeJS.Signals): void;
  /** Sends SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  /** Sends SIGTERM; resolves with the exit code, or null when it had to be killed. */
  stop(): Promise<number | null>;
  /** Starts it again, as a supervisor would. Resolves when it serves. */
  start(): Promise<void>;
  /** Lines of its log, over all runs. */
  log(): Record<string, unknown>[];
  /** Whether `GET /ready` answers 200. */
  isReady(): Promise<boolean>;
}

/** Starts a daemon as a process on free ports, and watches its memory. */
export async function startFaultDaemon(options: {
  name: string;
  package: 'ingest-api' | 'writer-worker' | 'maintenance-worker' | 'query-api';
  folder: string;
  env: Record<string, string>;
  memory: MemoryWatch;
}): Promise<FaultDaemon> {
  const { name, folder, memory } = options;
  const logFile = join(folder, `${name}.log`);
  const launch = async (): Promise<RunningDaemon> => {
    const run = await launchDaemon({
      name,
      main: join(REPOSITORY, 'packages', options.package, 'src/main.ts'),
      // A folder without .env: a developer's own settings must not decide a fault.
      cwd: folder,
      env: {
        PATH: process.env['PATH'],
        ...COMPILE_CACHE,
        INGEST_PORT: '0',
        QUERY_PORT: '0',
        WRITER_PORT: '0',
        MAINTENANCE_PORT: '0',
        ...options.env,
      },
      logFile,
      pidFile: join(folder, `${name}.pid`),
      report: () => {},
    });
    memory.watch(name, run.pid);
    return run;
  };
  let run = await launch();
  return {
    name,
    get url() {
      return run.url;
    },
    get pid() {
      return run.pid;
    },
    signal: (signal) => run.kill(signal),
    async kill() {
      await run.stop('forced');
    },
    async stop() {
      await run.stop();
      return (await run.exited).code;
    },
    async start() {
      run = await launch();
    },
    log: () =>
      existsSync(logFile)
        ? readFileSync(logFile, 'utf8')
            .split('\n')
            .filter((line) => line.startsWith('{') && line.endsWith('}'))
            .map((line) => JSON.parse(line) as Record<string, unknown>)
        : [],
    isReady: async () => (await fetch(`${run.url}/ready`, { signal: AbortSignal.timeout(2_000) })).status === 200,
  };
}

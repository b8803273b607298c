import { mkdtempSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { inject } from 'vitest';
import { launchDaemon, type RunningDaemon } from '@sluice/local-stack/launch-daemon';
import { COMPILE_CACHE } from './compile-cache.ts';

const REPOSITORY = resolve(import.meta.dirname, '../../..');

/** A daemon in its own process, as in production. */
export interface TestDaemon extends RunningDaemon {
  /** Everything that it has logged so far, as parsed lines. */
  log(): Record<string, unknown>[];
  /** The same as text, with everything else that it wrote. */
  output(): string;
}

export type DaemonName = 'ingest-api' | 'writer-worker' | 'maintenance-worker' | 'query-api';

/**
 * Starts a daemon on free ports and resolves when it is ready.
 *
 * @param env what the test sets; of this process's own environment the daemon gets only PATH
 * @param entry another file than the daemon's main.ts, for a daemon with a fault built in
 */
export async function startTestDaemon(
  name: DaemonName,
  env: Record<string, string>,
  entry?: string,
): Promise<TestDaemon> {
  const folder = mkdtempSync(join(inject('runFolder'), `${name}-`));
  const logFile = join(folder, 'daemon.log');
  const daemon = await launchDaemon({
    name,
    main: entry ?? join(REPOSITORY, 'packages', name, 'src/main.ts'),
    // A folder without .env: a developer's settings must not affect a test.
    cwd: folder,
    env: {
      PATH: process.env['PATH'],
      ...COMPILE_CACHE,
      INGEST_PORT: '0',
      QUERY_PORT: '0',
      WRITER_PORT: '0',
      MAINTENANCE_PORT: '0',
      // Tests send more requests than people; the tests of the limit set it.
      RATE_LIMIT_PER_MINUTE: '0',
      ...env,
    },
    logFile,
    pidFile: join(folder, 'daemon.pid'),
    report: () => {},
  });
  const output = (): string => readFileSync(logFile, 'utf8');
  return {
    ...daemon,
    output,
    log: () =>
      output()
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}

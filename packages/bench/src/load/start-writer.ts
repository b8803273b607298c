import { join } from 'node:path';
import { REPOSITORY } from '@sluice/local-stack/config';
import { launchDaemon, type RunningDaemon } from '@sluice/local-stack/launch-daemon';
import { NICENESS } from '@sluice/local-stack/niceness';
import { untilReady } from '@sluice/local-stack/until-ready';
import type { PeerSurroundings } from './peers.ts';

/** What writers of one stream have in common. */
export interface WriterOptions {
  /** The start of the keys in Redis; one for each database, so that their writers share no stream. */
  readonly namespace: string;
  /** With Sluice's tables. */
  readonly databaseUrl: string;
  /** Transactions of one writer; null for its default. */
  readonly concurrency: number | null;
  /** Further settings of the writer. */
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Starts a writer beside those of the stack, and waits until it is ready.
 *
 * @param number distinguishes it from others of the same stream, from 1
 */
export async function startWriter(
  options: WriterOptions,
  around: PeerSurroundings,
  number: number,
): Promise<RunningDaemon> {
  const name = `${options.namespace}-writer-${number}`;
  const writer = await launchDaemon(
    {
      name,
      main: join(REPOSITORY, 'packages/writer-worker/src/main.ts'),
      cwd: around.folder,
      env: {
        PATH: around.path,
        DATABASE_URL: options.databaseUrl,
        REDIS_URL: around.redisUrl,
        SLUICE_NAMESPACE: options.namespace,
        WRITER_NAME: name,
        WRITER_PORT: '0',
        ...(options.concurrency === null ? {} : { WRITER_CONCURRENCY: String(options.concurrency) }),
        ...options.env,
      },
      logFile: join(around.folder, `${name}.log`),
      pidFile: join(around.folder, `${name}.pid`),
      report: () => {},
      niceness: NICENESS['writer-worker'],
    },
    around.signal,
  );
  await untilReady(name, writer.url, around.signal);
  return writer;
}

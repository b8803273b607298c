import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { findRedisServer } from '@sluice/local-stack/find-redis';
import { startPostgres } from '@sluice/local-stack/postgres';
import { startRedis } from '@sluice/local-stack/redis';
import { memoryFolder } from './memory-folder.ts';

/** A server that one test may stop, pause or break. */
export interface OwnServer {
  readonly url: string;
  pid(): number;
  /** Stops it; its data remains. */
  stop(mode?: 'fast' | 'immediate'): Promise<void>;
  /** Starts it again on the same port and data. */
  start(): Promise<void>;
  /** Stops it and removes its data. */
  remove(): Promise<void>;
}

/** Starts a Redis for one test, with its data in a new folder within `parent`. */
export async function ownRedis(settings: Record<string, string> = {}, parent = memoryFolder()): Promise<OwnServer> {
  const folder = await mkdtemp(join(parent, 'sluice-redis-'));
  // The first start chooses a free port; later ones must use the same.
  let port: number | undefined;
  const server = await findRedisServer({ env: process.env, report: () => {} });
  const start = () => startRedis({ dataDir: folder, server, port, settings });
  let handle = await start();
  port = handle.port;
  return {
    url: handle.url,
    pid: () => handle.pid,
    stop: () => handle.stop(),
    async start() {
      handle = await start();
    },
    async remove() {
      await handle.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Starts a Postgres for one test, with its data in a new folder within `parent`. */
export async function ownPostgres(settings: Record<string, string> = {}, parent = memoryFolder()): Promise<OwnServer> {
  const folder = await mkdtemp(join(parent, 'sluice-postgres-'));
  let port: number | undefined;
  const start = () => startPostgres({ dataDir: folder, port, settings: { shared_buffers: '64MB', ...settings } });
  let handle = await start();
  port = handle.port;
  return {
    url: handle.url,
    pid: () => handle.pid,
    stop: (mode = 'fast') => handle.stop(mode),
    async start() {
      handle = await start();
    },
    async remove() {
      await handle.stop('immediate');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

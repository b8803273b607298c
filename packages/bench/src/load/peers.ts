import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { Client } from 'pg';
import { launchDaemon } from '@sluice/local-stack/launch-daemon';
import { NICENESS } from '@sluice/local-stack/niceness';
import { BULLMQ_QUEUE } from '../../peers/bullmq-queue.ts';
import { makeDatabase } from './make-database.ts';
import type { Target } from './target.ts';

/** Where the programs of the peers are. */
export const PEERS = fileURLToPath(new URL('../../peers/', import.meta.url));

/** The defaults of Sluice's daemons: DB_POOL_SIZE and WRITER_CONCURRENCY. */
export const POOL_SIZE = 5;
const CONCURRENCY = 3;

/** Peers that store what others queued; they have the niceness of Sluice's writer. */
const WORKERS = new Set(['bullmq-worker', 'graphile-worker']);

/** A running peer. */
export interface Peer extends Target {
  readonly databaseUrl: string;
  stop(): Promise<void>;
}

/** Where peers run: the servers of the stack, a folder for their logs. */
export interface PeerSurroundings {
  readonly databaseUrl: string;
  readonly redisUrl: string;
  readonly folder: string;
  readonly path: string | undefined;
  /** Called with a line for what takes long. */
  readonly report: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Fastify, and MikroORM's `insertMany` in the request. */
export async function startDirectInsert(around: PeerSurroundings): Promise<Peer> {
  const databaseUrl = await makeDatabase(around.databaseUrl, 'peer_direct', 'peer');
  const run = await startNode(around, 'direct-insert', databaseUrl);
  return makePeer({ name: 'Fastify + insertMany', url: run.url, databaseUrl, stop: () => run.stop() });
}

/** Fastify, one BullMQ job a batch, and a worker with MikroORM. */
export async function startBullmq(around: PeerSurroundings): Promise<Peer> {
  const databaseUrl = await makeDatabase(around.databaseUrl, 'peer_bullmq', 'peer');
  const worker = await startNode(around, 'bullmq-worker', databaseUrl);
  const api = await startNode(around, 'bullmq-api', databaseUrl);
  const redis = new Redis(around.redisUrl, { maxRetriesPerRequest: null });
  const queue = new Queue(BULLMQ_QUEUE, { connection: redis });
  return makePeer({
    name: 'Fastify + BullMQ',
    url: api.url,
    databaseUrl,
    waiting: () => queue.getJobCountByTypes('waiting', 'active', 'delayed', 'prioritized'),
    async stop() {
      await api.stop();
      await worker.stop();
      await queue.close();
      redis.disconnect();
    },
  });
}

/** The limits of ingest, see peers/bare-xadd.ts. */
export function startBareXadd(around: PeerSurroundings): Promise<{ url: string; stop(): Promise<void> }> {
  return startNode(around, 'bare-xadd', around.databaseUrl);
}

/** A collector of traces, see peers/otlp-receiver.ts. */
export function startCollector(around: PeerSurroundings): Promise<{ url: string; stop(): Promise<void> }> {
  return startNode(around, 'otlp-receiver', around.databaseUrl);
}

/**
 * Starts a peer that runs on Node: `peers/NAME.ts`.
 *
 * @param packages the folder with packages of its own, for a peer that needs more than the workspace has
 */
export function startNode(around: PeerSurroundings, name: string, databaseUrl: string, packages = '') {
  return launchDaemon(
    {
      name,
      main: join(PEERS, `${name}.ts`),
      cwd: around.folder,
      env: {
        PATH: around.path,
        // As a user would run it: without this, frameworks log and check more.
        NODE_ENV: 'production',
        DATABASE_URL: databaseUrl,
        REDIS_URL: around.redisUrl,
        DB_POOL_SIZE: String(POOL_SIZE),
        WRITER_CONCURRENCY: String(CONCURRENCY),
        PEER_PACKAGES: packages,
      },
      logFile: join(around.folder, `${name}.log`),
      pidFile: join(around.folder, `${name}.pid`),
      report: () => {},
      niceness: WORKERS.has(name) ? NICENESS['writer-worker'] : 0,
    },
    around.signal,
  );
}

/** What was started for a peer. */
export interface StartedPeer {
  readonly name: string;
  /** Of its HTTP server. */
  readonly url: string;
  readonly databaseUrl: string;
  /** Batches that are acknowledged and not committed yet; left out for a peer that commits first. */
  readonly waiting?: (db: Client) => Promise<number>;
  /** The table of its queue, if that is in the same database. */
  readonly queueTable?: string;
  stop(): Promise<void>;
}

/** Makes a peer of what was started: its events are those in its database. */
export async function makePeer(started: StartedPeer): Promise<Peer> {
  const { name, url, databaseUrl, waiting, queueTable } = started;
  const db = new Client({ connectionString: databaseUrl });
  await db.connect();
  const tables = ['events', 'sessions', ...(queueTable === undefined ? [] : [queueTable])];
  return {
    name,
    url: `${url}/api/events`,
    databaseUrl,
    waiting: async () => waiting?.(db) ?? 0,
    async stored() {
      const { rows } = await db.query<{ stored: string }>('SELECT count(*) AS stored FROM events');
      return Number(rows[0]?.stored);
    },
    async empty() {
      await db.query(`TRUNCATE ${tables.join(', ')}`);
      await db.query('CHECKPOINT');
    },
    async stop() {
      await started.stop();
      await db.end();
    },
  };
}

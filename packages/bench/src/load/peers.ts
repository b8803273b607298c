import { execFile, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { Client } from 'pg';
import { freePort } from '@sluice/local-stack/free-port';
import { launchDaemon } from '@sluice/local-stack/launch-daemon';
import { NICENESS } from '@sluice/local-stack/niceness';
import { untilReady } from '@sluice/local-stack/until-ready';
import { BULLMQ_QUEUE } from '../../peers/bullmq-queue.ts';
import { makeDatabase } from './make-database.ts';
import type { Target } from './target.ts';

const PEERS = fileURLToPath(new URL('../../peers/', import.meta.url));

/** The defaults of Sluice's daemons: DB_POOL_SIZE and WRITER_CONCURRENCY. */
const POOL_SIZE = 5;
const CONCURRENCY = 3;

/** Debian's packages belong to Debian's Python, whatever other `python3` is on PATH. */
const PYTHON = '/usr/bin/python3';
const FASTAPI_NAMES = { database: 'ORM', core: 'Core' };
const PYTHON_PACKAGES = ['fastapi', 'sqlalchemy', 'asyncpg', 'uvicorn'];
/** Optional packages that make it faster: C for SQLAlchemy, and uvicorn's better loop and parser. */
const FASTER_PACKAGES = ['sqlalchemy-ext', 'uvloop', 'httptools'];

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
  readonly signal: AbortSignal;
}

/** Fastify, and MikroORM's `insertMany` in the request. */
export async function startDirectInsert(around: PeerSurroundings): Promise<Peer> {
  const databaseUrl = await makeDatabase(around.databaseUrl, 'peer_direct', 'peer');
  const run = await startNode(around, 'direct-insert', databaseUrl);
  return withDatabase(
    'Fastify + insertMany',
    run.url,
    databaseUrl,
    async () => 0,
    () => run.stop(),
  );
}

/** Fastify, one BullMQ job a batch, and a worker with MikroORM. */
export async function startBullmq(around: PeerSurroundings): Promise<Peer> {
  const databaseUrl = await makeDatabase(around.databaseUrl, 'peer_bullmq', 'peer');
  const worker = await startNode(around, 'bullmq-worker', databaseUrl);
  const api = await startNode(around, 'bullmq-api', databaseUrl);
  const redis = new Redis(around.redisUrl, { maxRetriesPerRequest: null });
  const queue = new Queue(BULLMQ_QUEUE, { connection: redis });
  return withDatabase(
    'Fastify + BullMQ',
    api.url,
    databaseUrl,
    () => queue.getJobCountByTypes('waiting', 'active', 'delayed', 'prioritized'),
    async () => {
      await api.stop();
      await worker.stop();
      await queue.close();
      redis.disconnect();
    },
  );
}

/** Why the FastAPI peer can't run here, with what to do about it; null when it can. */
export async function fastapiMissing(): Promise<string | null> {
  try {
    await promisify(execFile)(PYTHON, ['-c', `import ${PYTHON_PACKAGES.join(', ')}`]);
    return null;
  } catch {
    const packages = [...PYTHON_PACKAGES, ...FASTER_PACKAGES].map((name) => `python3-${name}`).join(' ');
    return `the FastAPI peer is left out, its packages are not installed: apt-get install -y --no-install-recommends ${packages}`;
  }
}

/**
 * The seeds' service: FastAPI, SQLAlchemy and asyncpg, storing in the request.
 *
 * @param store with objects of a mapped class, as such services are usually written, or with plain rows, the fastest
 *   that SQLAlchemy has; see peers/fastapi/app.py
 */
export async function startFastapi(store: 'database' | 'core', around: PeerSurroundings): Promise<Peer> {
  const databaseUrl = await makeDatabase(around.databaseUrl, `peer_fastapi_${store}`, 'peer');
  const port = await freePort();
  const logFile = join(around.folder, `fastapi-${store}.log`);
  const log = openSync(logFile, 'a');
  const child = spawn(PYTHON, [join(PEERS, 'fastapi/app.py')], {
    env: {
      PATH: around.path,
      DATABASE_URL: databaseUrl.replace(/^postgres:/, 'postgresql+asyncpg:'),
      PORT: String(port),
      DB_POOL_SIZE: String(POOL_SIZE),
      STORE: store,
    },
    // It ends when its standard input closes, and so with this process.
    stdio: ['pipe', log, log],
    // Its own session, as for all others: Linux shares processors between sessions.
    detached: true,
  });
  closeSync(log);
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
  };
  const url = `http://127.0.0.1:${port}`;
  try {
    const ended = exited.then(() => {
      throw new Error(`the FastAPI peer ended at its start:\n${readFileSync(logFile, 'utf8').slice(-2_000)}`);
    });
    await Promise.race([untilReady('the FastAPI peer', url, around.signal), ended]);
  } catch (error) {
    await stop();
    throw error;
  }
  return withDatabase(`FastAPI + SQLAlchemy ${FASTAPI_NAMES[store]}`, url, databaseUrl, async () => 0, stop);
}

/** The limits of ingest, see peers/bare-xadd.ts. */
export function startBareXadd(around: PeerSurroundings): Promise<{ url: string; stop(): Promise<void> }> {
  return startNode(around, 'bare-xadd', around.databaseUrl);
}

/** A collector of traces, see peers/otlp-receiver.ts. */
export function startCollector(around: PeerSurroundings): Promise<{ url: string; stop(): Promise<void> }> {
  return startNode(around, 'otlp-receiver', around.databaseUrl);
}

function startNode(around: PeerSurroundings, name: string, databaseUrl: string) {
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
      },
      logFile: join(around.folder, `${name}.log`),
      pidFile: join(around.folder, `${name}.pid`),
      report: () => {},
      // What Sluice's writer has, too.
      niceness: name === 'bullmq-worker' ? NICENESS['writer-worker'] : 0,
    },
    around.signal,
  );
}

async function withDatabase(
  name: string,
  url: string,
  databaseUrl: string,
  waiting: () => Promise<number>,
  stop: () => Promise<void>,
): Promise<Peer> {
  const db = new Client({ connectionString: databaseUrl });
  await db.connect();
  return {
    name,
    url: `${url}/api/events`,
    databaseUrl,
    waiting,
    async stored() {
      const { rows } = await db.query<{ stored: string }>('SELECT count(*) AS stored FROM events');
      return Number(rows[0]?.stored);
    },
    async empty() {
      await db.query('TRUNCATE events, sessions');
      await db.query('CHECKPOINT');
    },
    async stop() {
      await stop();
      await db.end();
    },
  };
}

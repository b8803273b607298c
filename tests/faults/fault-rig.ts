import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import pg from 'pg';
import { type OwnServer, ownPostgres, ownRedis } from '@sluice/testkit/own-servers';
import { startTcpProxy, type TcpProxy } from '@sluice/testkit/tcp-proxy';
import { type FaultDaemon, startFaultDaemon } from './fault-daemon.ts';
import { type MemoryWatch, watchMemory } from './memory-watch.ts';

/** What a fault needs besides one ingest and one writer on plain connections. */
export interface RigSetup {
  /** For all daemons. */
  readonly env?: Record<string, string>;
  /** Connections that go through a proxy. */
  readonly proxies?: readonly ProxiedLink[];
  readonly maintenance?: boolean;
  readonly query?: boolean;
  readonly redisSettings?: Record<string, string>;
  readonly postgresSettings?: Record<string, string>;
  /** Makes the data folder of Redis or Postgres, and returns how to remove it. */
  readonly redisDisk?: () => Promise<Disk>;
  readonly postgresDisk?: () => Promise<Disk>;
}

export type ProxiedLink = 'ingest-redis' | 'writer-redis' | 'writer-postgres' | 'maintenance-redis';

/** The data folder of a server. */
export interface Disk {
  readonly folder: string;
  remove(): Promise<void>;
}

/** The whole pipeline, on servers of its own. */
export interface FaultRig {
  readonly folder: string;
  readonly namespace: string;
  /** Key of shard 0. */
  readonly stream: string;
  readonly redisServer: OwnServer;
  readonly postgresServer: OwnServer;
  /** Bypasses every proxy. */
  readonly redis: Redis;
  readonly ingest: FaultDaemon;
  readonly writer: FaultDaemon;
  readonly maintenance: FaultDaemon | null;
  readonly query: FaultDaemon | null;
  /** All daemons, without those that the fault leaves down. */
  readonly daemons: Set<FaultDaemon>;
  readonly memory: MemoryWatch;
  readonly disks: { readonly redis: Disk | undefined; readonly postgres: Disk | undefined };
  proxy(link: ProxiedLink): TcpProxy;
  /** Starts another writer, under another name. */
  startWriter(name: string, env?: Record<string, string>): Promise<FaultDaemon>;
  /** Runs a query on a connection of its own that bypasses every proxy. */
  sql<T extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<T[]>;
  /** Opens a connection for locks and transactions; the caller closes it. */
  connect(): Promise<pg.Client>;
  /** Entries in the stream, and how many of them a writer holds. */
  backlog(): Promise<{ entries: number; pending: number }>;
  /** Stops everything; keeps the logs on request. */
  remove(keepLogs: boolean): Promise<void>;
}

const NAMESPACE = 'faults';

/** Starts servers, proxies and daemons, and resolves when all daemons are ready. */
export async function startRig(setup: RigSetup): Promise<FaultRig> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-fault-'));
  // Postgres may run as another user than this process.
  await chmod(folder, 0o711);
  const disks = { redis: await setup.redisDisk?.(), postgres: await setup.postgresDisk?.() };
  const [redisServer, postgresServer] = await Promise.all([
    ownRedis(setup.redisSettings, disks.redis?.folder ?? folder),
    // Faults kill daemons and servers, not the machine.
    ownPostgres({ fsync: 'off', max_connections: '60', ...setup.postgresSettings }, disks.postgres?.folder ?? folder),
  ]);
  const proxies = new Map<ProxiedLink, TcpProxy>();
  for (const link of setup.proxies ?? []) {
    const target = link === 'writer-postgres' ? postgresServer : redisServer;
    proxies.set(link, await startTcpProxy(Number(new URL(target.url).port)));
  }
  const urlFor = (link: ProxiedLink, url: string): string => proxies.get(link)?.through(url) ?? url;
  const redis = new Redis(redisServer.url, { replyMapping: 'legacy', retryStrategy: () => 50, commandTimeout: 2_000 });
  redis.on('error', () => {});
  const memory = watchMemory();
  const daemons = new Set<FaultDaemon>();
  const env = { SLUICE_NAMESPACE: NAMESPACE, SHUTDOWN_TIMEOUT_MS: '30000', ...setup.env };

  const add = async (name: string, of: FaultDaemonPackage, more: Record<string, string>): Promise<FaultDaemon> => {
    const daemon = await startFaultDaemon({ name, package: of, folder, env: { ...env, ...more }, memory });
    daemons.add(daemon);
    return daemon;
  };
  const startWriter = (name: string, more: Record<string, string> = {}): Promise<FaultDaemon> =>
    add(name, 'writer-worker', {
      REDIS_URL: urlFor('writer-redis', redisServer.url),
      DATABASE_URL: urlFor('writer-postgres', postgresServer.url),
      WRITER_NAME: name,
      ...more,
    });
  const direct = { REDIS_URL: redisServer.url, DATABASE_URL: postgresServer.url };
  const connect = async (): Promise<pg.Client> => {
    const client = new pg.Client({ connectionString: postgresServer.url });
    client.on('error', () => {});
    await client.connect();
    return client;
  };

  const stopServers = async (): Promise<void> => {
    redis.disconnect();
    await Promise.all([...proxies.values()].map((proxy) => proxy.close()));
    await Promise.all([redisServer.remove(), postgresServer.remove()]);
    await Promise.all([disks.redis?.remove(), disks.postgres?.remove()]);
  };
  let started: [FaultDaemon, FaultDaemon, FaultDaemon | null, FaultDaemon | null];
  try {
    started = await Promise.all([
      add('ingest', 'ingest-api', { REDIS_URL: urlFor('ingest-redis', redisServer.url) }),
      startWriter('writer-1'),
      setup.maintenance
        ? add('maintenance', 'maintenance-worker', {
            ...direct,
            REDIS_URL: urlFor('maintenance-redis', redisServer.url),
          })
        : null,
      setup.query ? add('query', 'query-api', direct) : null,
    ]);
  } catch (error) {
    memory.stop();
    await Promise.all([...daemons].map((daemon) => daemon.kill()));
    await stopServers();
    throw error;
  }
  const [ingest, writer, maintenance, query] = started;

  return {
    folder,
    namespace: NAMESPACE,
    stream: `${NAMESPACE}:{events:0}`,
    redisServer,
    postgresServer,
    redis,
    ingest,
    writer,
    maintenance,
    query,
    daemons,
    memory,
    disks,
    startWriter,
    connect,
    proxy(link) {
      const found = proxies.get(link);
      if (found === undefined) throw new Error(`the setup names no proxy for ${link}`);
      return found;
    },
    async sql<T extends pg.QueryResultRow>(text: string, values?: unknown[]) {
      const client = await connect();
      try {
        return (await client.query<T>(text, values)).rows;
      } finally {
        await client.end();
      }
    },
    async backlog() {
      const entries = await redis.xlen(`${NAMESPACE}:{events:0}`);
      const [pending] = (await redis.xpending(`${NAMESPACE}:{events:0}`, 'writers')) as [number];
      return { entries, pending };
    },
    async remove(keepLogs) {
      memory.stop();
      await Promise.all([...daemons].map((daemon) => daemon.stop()));
      await stopServers();
      if (!keepLogs) await rm(folder, { recursive: true, force: true });
    },
  };
}

type FaultDaemonPackage = Parameters<typeof startFaultDaemon>[0]['package'];

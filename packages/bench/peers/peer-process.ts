import type { FastifyInstance } from 'fastify';

/** What the benchmark tells a peer, as environment variables. */
export interface PeerSettings {
  readonly databaseUrl: string;
  readonly redisUrl: string;
  readonly poolSize: number;
  readonly concurrency: number;
}

export function readPeerSettings(): PeerSettings {
  const { DATABASE_URL = '', REDIS_URL = '', DB_POOL_SIZE, WRITER_CONCURRENCY } = process.env;
  return {
    databaseUrl: DATABASE_URL,
    redisUrl: REDIS_URL,
    poolSize: Number(DB_POOL_SIZE),
    concurrency: Number(WRITER_CONCURRENCY),
  };
}

/** Listens on a free port, says so, and goes when the benchmark says so or is gone. */
export async function servePeer(server: FastifyInstance, stop: () => Promise<void>): Promise<void> {
  server.get('/ready', () => ({ status: 'ready' }));
  const url = await server.listen({ host: '127.0.0.1', port: 0 });
  runPeer(url, () => server.close().then(stop));
}

/** Says that a peer listens, and stops it when the benchmark says so or is gone. */
export function runPeer(url: string, stop: () => Promise<void>): void {
  const end = (): void => void stop().finally(() => process.exit(0));
  process.once('SIGTERM', end);
  process.once('disconnect', end);
  process.send?.({ type: 'ready', url });
}

import type { FastifyInstance } from 'fastify';

/** A peer's settings, which the benchmark passes as environment variables. */
export interface PeerSettings {
  readonly databaseUrl: string;
  readonly redisUrl: string;
  readonly poolSize: number;
  readonly concurrency: number;
  /** The folder with packages that the workspace does not have; empty for a peer that needs none. */
  readonly packages: string;
}

export function readPeerSettings(): PeerSettings {
  const { DATABASE_URL = '', REDIS_URL = '', DB_POOL_SIZE, WRITER_CONCURRENCY, PEER_PACKAGES = '' } = process.env;
  return {
    databaseUrl: DATABASE_URL,
    redisUrl: REDIS_URL,
    poolSize: Number(DB_POOL_SIZE),
    concurrency: Number(WRITER_CONCURRENCY),
    packages: PEER_PACKAGES,
  };
}

/** Listens on a free port, reports it, and stops when the benchmark asks for it or has ended. */
export async function servePeer(server: FastifyInstance, stop: () => Promise<void>): Promise<void> {
  server.get('/ready', () => ({ status: 'ready' }));
  const url = await server.listen({ host: '127.0.0.1', port: 0 });
  runPeer(url, () => server.close().then(stop));
}

/** Reports that a peer listens, and stops it when the benchmark asks for it or has ended. */
export function runPeer(url: string, stop: () => Promise<void>): void {
  const end = (): void => void stop().finally(() => process.exit(0));
  process.once('SIGTERM', end);
  process.once('disconnect', end);
  process.send?.({ type: 'ready', url });
}

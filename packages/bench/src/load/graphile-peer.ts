import { join } from 'node:path';
import { installWithNpm } from '@sluice/testkit/install-with-npm';
import { makeDatabase } from './make-database.ts';
import { makePeer, type Peer, PEERS, type PeerSurroundings, startNode } from './peers.ts';

/** A job is a row, and is deleted after the commit of its batch. */
const JOBS = 'graphile_worker._private_jobs';

/**
 * Installs graphile-worker, as peers/graphile/package-lock.json pins it.
 *
 * @returns the folder that has it
 * @throws Error when the registry cannot be reached
 */
export function installGraphile({ report, signal }: PeerSurroundings): Promise<string> {
  return installWithNpm({ name: 'graphile-worker', lockedIn: join(PEERS, 'graphile'), announce: report, signal });
}

/** Fastify, one job a batch in the same Postgres (graphile-worker), and a worker with MikroORM. */
export async function startGraphile(packages: string, around: PeerSurroundings): Promise<Peer> {
  const databaseUrl = await makeDatabase(around.databaseUrl, 'peer_graphile', 'peer');
  const worker = await startNode(around, 'graphile-worker', databaseUrl, packages);
  const api = await startNode(around, 'graphile-api', databaseUrl, packages);
  return makePeer({
    name: 'Fastify + graphile-worker',
    url: api.url,
    databaseUrl,
    queueTable: JOBS,
    async waiting(db) {
      const { rows } = await db.query<{ jobs: string }>(`SELECT count(*) AS jobs FROM ${JOBS}`);
      return Number(rows[0]?.jobs);
    },
    async stop() {
      await api.stop();
      await worker.stop();
    },
  });
}

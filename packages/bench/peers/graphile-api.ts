import Fastify from 'fastify';
import { BATCH_TASK, loadGraphileWorker } from './graphile-queue.ts';
import { BATCH_SCHEMA, BODY_LIMIT, type SentEvent } from './peer-events.ts';
import { readPeerSettings, servePeer } from './peer-process.ts';

/** What one would build without a Redis: Fastify, and one job in Postgres for each batch; graphile-worker.ts stores them. */
const { databaseUrl, poolSize, packages } = readPeerSettings();
const { makeWorkerUtils } = loadGraphileWorker(packages);
const queue = await makeWorkerUtils({ preset: { worker: { connectionString: databaseUrl, maxPoolSize: poolSize } } });
const server = Fastify({ bodyLimit: BODY_LIMIT });
server.post<{ Body: { events: SentEvent[] } }>(
  '/api/events',
  { schema: { body: BATCH_SCHEMA } },
  async (request, reply) => {
    await queue.addJob(BATCH_TASK, request.body);
    return reply.code(202).send({ accepted: request.body.events.length });
  },
);
await servePeer(server, () => queue.release());

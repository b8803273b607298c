import Fastify from 'fastify';
import { BATCH_SCHEMA, BODY_LIMIT, createPeerOrm, insertBatch, type SentEvent } from './peer-events.ts';
import { readPeerSettings, servePeer } from './peer-process.ts';

/** The first thing one would build: Fastify, and MikroORM's `insertMany` in the request. */
const { databaseUrl, poolSize } = readPeerSettings();
const orm = await createPeerOrm(databaseUrl, poolSize);
const server = Fastify({ bodyLimit: BODY_LIMIT });
server.post<{ Body: { events: SentEvent[] } }>(
  '/api/events',
  { schema: { body: BATCH_SCHEMA } },
  async (request, reply) => {
    await insertBatch(orm, request.body.events);
    return reply.code(202).send({ accepted: request.body.events.length });
  },
);
await servePeer(server, () => orm.close(true));

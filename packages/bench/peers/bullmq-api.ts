import { Queue } from 'bullmq';
import Fastify from 'fastify';
import { Redis } from 'ioredis';
import { BULLMQ_QUEUE } from './bullmq-queue.ts';
import { BATCH_SCHEMA, BODY_LIMIT, type SentEvent } from './peer-events.ts';
import { readPeerSettings, servePeer } from './peer-process.ts';

/** The second thing one would build: Fastify, and one BullMQ job for each batch; bullmq-worker.ts stores them. */
const { redisUrl } = readPeerSettings();
const redis = new Redis(redisUrl, { maxRetriesPerRequest: null });
const queue = new Queue(BULLMQ_QUEUE, { connection: redis, defaultJobOptions: { removeOnComplete: true } });
const server = Fastify({ bodyLimit: BODY_LIMIT });
server.post<{ Body: { events: SentEvent[] } }>(
  '/api/events',
  { schema: { body: BATCH_SCHEMA } },
  async (request, reply) => {
    await queue.add('batch', request.body);
    return reply.code(202).send({ accepted: request.body.events.length });
  },
);
await servePeer(server, async () => {
  await queue.close();
  redis.disconnect();
});

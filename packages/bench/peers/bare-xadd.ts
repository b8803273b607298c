import Fastify from 'fastify';
import { Redis } from 'ioredis';
import { BARE_STREAM } from './bare-stream.ts';
import { BODY_LIMIT } from './peer-events.ts';
import { readPeerSettings, servePeer } from './peer-process.ts';

/**
 * The limits of ingest: a Fastify that puts each body on a stream unchanged, after JSON.parse (`/parse`) or without
 * (`/raw`). No validation, no keys, no compression, no durability header. Commands of one turn share a round trip.
 */
const { redisUrl } = readPeerSettings();
const redis = new Redis(redisUrl, { enableAutoPipelining: true });
const server = Fastify({ bodyLimit: BODY_LIMIT });
server.removeAllContentTypeParsers();
server.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
server.post<{ Body: Buffer }>('/raw', async (request, reply) => {
  await redis.xadd(BARE_STREAM, '*', 'b', request.body);
  return reply.code(202).send({ status: 'accepted' });
});
server.post<{ Body: Buffer }>('/parse', async (request, reply) => {
  const { events } = JSON.parse(request.body.toString()) as { events: unknown[] };
  await redis.xadd(BARE_STREAM, '*', 'b', request.body);
  return reply.code(202).send({ accepted: events.length });
});
await servePeer(server, async () => redis.disconnect());

import { Worker } from 'bullmq';
import Fastify from 'fastify';
import { Redis } from 'ioredis';
import { BULLMQ_QUEUE } from './bullmq-queue.ts';
import { createPeerOrm, insertBatch, type SentEvent } from './peer-events.ts';
import { readPeerSettings, servePeer } from './peer-process.ts';

/** Stores the batches that bullmq-api.ts queued, with as many concurrent jobs as a writer of Sluice has transactions. */
const { databaseUrl, redisUrl, poolSize, concurrency } = readPeerSettings();
const database = await createPeerOrm(databaseUrl, poolSize);
const redis = new Redis(redisUrl, { maxRetriesPerRequest: null });
const worker = new Worker<{ events: SentEvent[] }>(BULLMQ_QUEUE, (job) => insertBatch(database, job.data.events), {
  connection: redis,
  concurrency,
});
worker.on('error', (error) => process.stderr.write(`${error.message}\n`));
worker.on('failed', (_job, error) => process.stderr.write(`${error.message}\n`));
await worker.waitUntilReady();
await servePeer(Fastify(), async () => {
  await worker.close();
  redis.disconnect();
  await database.close();
});

import Fastify from 'fastify';
import { BATCH_TASK, loadGraphileWorker } from './graphile-queue.ts';
import { createPeerOrm, insertBatch, type SentEvent } from './peer-events.ts';
import { readPeerSettings, servePeer } from './peer-process.ts';

/**
 * Stores the batches that graphile-api.ts queued, with as many concurrent jobs as a writer of Sluice has transactions. It
 * fetches and completes jobs in batches, as graphile-worker's own page on performance advises. A job leaves the queue
 * after the commit of its batch, not before.
 */
const { databaseUrl, poolSize, concurrency, packages } = readPeerSettings();
const database = await createPeerOrm(databaseUrl, poolSize);
const { run } = loadGraphileWorker(packages);
const runner = await run({
  preset: {
    worker: {
      connectionString: databaseUrl,
      maxPoolSize: poolSize,
      concurrentJobs: concurrency,
      localQueue: { size: concurrency + 1 },
      completeJobBatchDelay: 0,
      failJobBatchDelay: 0,
    },
  },
  // The benchmark stops it.
  noHandleSignals: true,
  parsedCronItems: [],
  taskList: { [BATCH_TASK]: (payload) => insertBatch(database, (payload as { events: SentEvent[] }).events) },
});
await servePeer(Fastify(), async () => {
  await runner.stop();
  await database.close();
});

import { withStoredKeys } from '@sluice/access/key-ring';
import { readEnvironment } from '@sluice/daemon/config/read-environment';
import { runUntilStopped, startOrExit } from '@sluice/daemon/run-daemon';
import { startLog } from '@sluice/daemon/log/start-log';
import { connectRedis, waitForRedis } from '@sluice/stream/connect-redis';
import { addHealthMetrics } from '@sluice/daemon/http/health-metrics';
import { createMetrics } from '@sluice/daemon/telemetry/metrics';
import { startAdmission } from '@sluice/accept/limits/admission';
import { readIngestConfig } from './config.ts';
import { followStoredKeys } from '@sluice/accept/keys/follow-stored-keys';
import { ingestChecks } from './ingest-checks.ts';
import { createIngestMetrics } from '@sluice/accept/ingest-metrics';
import { principalOf } from '@sluice/accept/keys/key-ring';
import { createQueue, waitingCommandTimeout } from '@sluice/accept/queue';
import { createQuotas } from '@sluice/accept/limits/quotas';
import { buildServer } from './server.ts';
import { weighBuffers } from './weigh-buffers.ts';

/** How long the start waits for Redis before it goes on without, in milliseconds. */
const REDIS_WAIT_MS = 2_000;

await startOrExit('ingest-api', async () => {
  weighBuffers();
  const config = readIngestConfig(readEnvironment());
  const logger = await startLog('ingest-api', config);
  if (config.configuredKeys.open) {
    logger.warn(
      'INGEST RUNS OPEN: neither API_KEY nor API_KEYS is set, so anybody who reaches this port may send events',
    );
  }

  const redis = connectRedis(config.REDIS_URL, {
    name: 'ingest',
    logger,
    commandTimeoutMs: config.QUEUE_TIMEOUT_MS,
    autoPipelining: true,
  });
  // Measuring has a connection of its own, so that a slow INFO never stands before a batch.
  const meter = connectRedis(config.REDIS_URL, {
    name: 'ingest:meter',
    logger,
    commandTimeoutMs: config.QUEUE_TIMEOUT_MS,
  });
  const waiting = connectRedis(config.REDIS_URL, {
    name: 'ingest:wait',
    logger,
    commandTimeoutMs: waitingCommandTimeout(config.QUEUE_TIMEOUT_MS),
  });
  const admission = startAdmission({
    redis: meter,
    logger,
    namespace: config.SLUICE_NAMESPACE,
    shards: config.STREAM_SHARDS,
    limits: { maxBytes: config.QUEUE_MAX_BYTES, maxAgeSeconds: config.QUEUE_MAX_AGE_SECONDS },
  });
  const queue = createQueue({
    redis,
    waiting,
    logger,
    namespace: config.SLUICE_NAMESPACE,
    shards: config.STREAM_SHARDS,
    durability: config.DURABILITY,
    replicas: config.DURABILITY_REPLICAS,
    timeoutMs: config.QUEUE_TIMEOUT_MS,
    onAdded: (bytes) => admission.added(bytes),
  });
  // The first 202 already says how durable it is.
  if (await waitForRedis(redis, REDIS_WAIT_MS)) await queue.settled();
  // On the connection for measuring, so that a long set of keys never stands before a batch.
  if (redis.status === 'ready') await waitForRedis(meter, REDIS_WAIT_MS);
  const followed = followStoredKeys({
    redis: meter,
    logger,
    namespace: config.SLUICE_NAMESPACE,
    refreshMs: config.KEY_REFRESH_MS,
  });
  await followed.tried;

  const registry = createMetrics('ingest-api');
  const checks = ingestChecks({ redis, queue, admission, config, storedKeys: followed.keys });
  addHealthMetrics(registry, checks);
  let stopping = false;
  const server = await buildServer({
    config,
    keys: withStoredKeys(config.configuredKeys, followed.keys, principalOf),
    quotas: createQuotas(config.INGEST_RATE_LIMIT),
    queue,
    admission,
    logger,
    checks,
    registry,
    metrics: createIngestMetrics(registry, () => queue.plan.level),
    isStopping: () => stopping,
  });
  const url = await server.listen({ host: config.HOST, port: config.INGEST_PORT });

  runUntilStopped(
    {
      url,
      async stop() {
        stopping = true;
        // Requests that are in get their answer; whoever is still sending one near the deadline does not.
        const deadline = setTimeout(() => server.server.closeAllConnections(), config.SHUTDOWN_TIMEOUT_MS * 0.8);
        await server.close();
        clearTimeout(deadline);
        await Promise.all([followed.stop(), queue.stop(), admission.stop()]);
        redis.disconnect();
        waiting.disconnect();
        meter.disconnect();
      },
    },
    { name: 'ingest-api', logger, shutdownTimeoutMs: config.SHUTDOWN_TIMEOUT_MS },
  );
});

import { createIdempotencyKeys } from '@sluice/accept/idempotency-keys';
import { createIngestMetrics } from '@sluice/accept/ingest-metrics';
import { followStoredKeys } from '@sluice/accept/keys/follow-stored-keys';
import { startAdmission } from '@sluice/accept/limits/admission';
import { createQuotas } from '@sluice/accept/limits/quotas';
import { createQueue, waitingCommandTimeout } from '@sluice/accept/queue';
import { withStoredKeys } from '@sluice/access/key-ring';
import { warnOfWeakKey } from '@sluice/access/weak-key';
import { readEnvironment } from '@sluice/daemon/config/read-environment';
import { startStateReports } from '@sluice/daemon/http/daemon-state';
import { addHealthMetrics } from '@sluice/daemon/http/health-metrics';
import { addHeldBytesMetrics } from '@sluice/daemon/http/held-bytes-metrics';
import { listen } from '@sluice/daemon/http/listen';
import { startLog } from '@sluice/daemon/log/start-log';
import { useMemoryProfile } from '@sluice/daemon/memory';
import { runUntilStopped, startOrExit } from '@sluice/daemon/run-daemon';
import { stop } from '@sluice/daemon/service';
import { createMetrics } from '@sluice/daemon/telemetry/metrics';
import { connectRedis, waitForRedis } from '@sluice/stream/connect-redis';
import { statesIn } from '@sluice/stream/daemon-states';
import { INGEST_VARIABLES, readIngestConfig } from './config.ts';
import { createHeldBodies } from './doors/held-bodies.ts';
import { ingestChecks } from './ingest-checks.ts';
import { buildServer } from './server.ts';

/** How long the start waits for Redis before it continues without, in milliseconds. */
const REDIS_WAIT_MS = 2_000;

await startOrExit('ingest-api', async () => {
  useMemoryProfile('weighed-buffers');
  const environment = readEnvironment();
  const config = readIngestConfig(environment);
  const { SLUICE_NAMESPACE: namespace, STREAM_SHARDS: shards, SHUTDOWN_TIMEOUT_MS: shutdownTimeoutMs } = config;
  const logger = await startLog('ingest-api', config, environment, INGEST_VARIABLES);
  if (config.configuredKeys.open) {
    logger.warn(
      'INGEST RUNS OPEN: neither API_KEY nor API_KEYS is set, so anybody who reaches this port may send events',
    );
  }
  warnOfWeakKey(config.API_KEY, logger);
  const registry = createMetrics('ingest-api');

  const parts = new AsyncDisposableStack();
  const connect = (name: string, commandTimeoutMs: number, autoPipelining = false) =>
    parts.adopt(connectRedis(config.REDIS_URL, { name, logger, commandTimeoutMs, autoPipelining }), (redis) =>
      redis.disconnect(),
    );
  const redis = connect('ingest', config.QUEUE_TIMEOUT_MS, true);
  // Measuring has its own connection, so that a batch never waits for a slow INFO.
  const meter = connect('ingest:meter', config.QUEUE_TIMEOUT_MS);
  const waiting = connect('ingest:wait', waitingCommandTimeout(config.QUEUE_TIMEOUT_MS));

  const limits = { maxBytes: config.QUEUE_MAX_BYTES, maxAgeSeconds: config.QUEUE_MAX_AGE_SECONDS };
  const admission = parts.adopt(startAdmission({ redis: meter, logger, namespace, shards, limits }), stop);
  const queue = parts.adopt(
    createQueue({
      redis,
      waiting,
      logger,
      namespace,
      shards,
      durability: config.DURABILITY,
      replicas: config.DURABILITY_REPLICAS,
      timeoutMs: config.QUEUE_TIMEOUT_MS,
      onAdded: (bytes) => admission.added(bytes),
    }),
    stop,
  );
  // Before listening, so that the first 202 already states its durability.
  if (await waitForRedis(redis, REDIS_WAIT_MS)) await queue.settled();
  // Stored keys use the connection for measuring, so that a batch never waits for a long set of keys.
  if (redis.status === 'ready') await waitForRedis(meter, REDIS_WAIT_MS);
  const followed = parts.adopt(
    followStoredKeys({ redis: meter, logger, namespace, refreshMs: config.KEY_REFRESH_MS }),
    stop,
  );
  await followed.tried;

  const checks = ingestChecks({ redis, queue, admission, config, storedKeys: followed.keys });
  addHealthMetrics(registry, checks);
  const published = { daemon: 'ingest-api', checks, logger, ...statesIn(meter, namespace) };
  const reports = parts.adopt(startStateReports(published), stop);
  const heldBodies = createHeldBodies(config.MAX_IN_FLIGHT_BYTES);
  addHeldBytesMetrics(registry, () => heldBodies.bytes, config.MAX_IN_FLIGHT_BYTES);
  let stopping = false;
  const server = await buildServer({
    config,
    keys: withStoredKeys(config.configuredKeys, followed.keys),
    quotas: createQuotas(config.INGEST_RATE_LIMIT),
    heldBodies,
    queue,
    idempotencyKeys: createIdempotencyKeys({
      redis,
      logger,
      namespace,
      hours: config.IDEMPOTENCY_HOURS,
      timeoutMs: config.QUEUE_TIMEOUT_MS,
      maxBytes: config.QUEUE_MAX_BYTES,
      backlog: () => admission.backlog,
    }),
    admission,
    logger,
    checks,
    registry,
    metrics: createIngestMetrics(registry, () => queue.plan.level),
    isStopping: () => stopping,
  });
  // Requests that have arrived get their answer. One that is still being sent at the deadline does not.
  const address = { host: config.HOST, port: config.INGEST_PORT, patienceMs: shutdownTimeoutMs * 0.8 };
  const { url } = parts.adopt(await listen(server, address), stop);
  parts.defer(() => {
    stopping = true;
  });
  runUntilStopped({ url, parts, reports }, { name: 'ingest-api', logger, shutdownTimeoutMs });
});

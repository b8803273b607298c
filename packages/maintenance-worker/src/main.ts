import { hostname } from 'node:os';
import { readEnvironment } from '@sluice/daemon/config/read-environment';
import { startStateReports } from '@sluice/daemon/http/daemon-state';
import { startHealthServer } from '@sluice/daemon/http/health-server';
import { startLog } from '@sluice/daemon/log/start-log';
import { useMemoryProfile } from '@sluice/daemon/memory';
import { waitAtMost } from '@sluice/daemon/retry/with-timeout';
import { runUntilStopped, startOrExit } from '@sluice/daemon/run-daemon';
import { type Service, stop } from '@sluice/daemon/service';
import { createMetrics } from '@sluice/daemon/telemetry/metrics';
import { createPoolMetrics } from '@sluice/daemon/telemetry/pool-metrics';
import { tryWaking } from '@sluice/jobs/try-waking';
import { APPLICATION_NAMES } from '@sluice/store/application-names';
import { openDatabase } from '@sluice/store/database';
import { STORES } from '@sluice/store/find-obstacle';
import { postgresCheck } from '@sluice/store/postgres-check';
import { connectRedis } from '@sluice/stream/connect-redis';
import { statesIn } from '@sluice/stream/daemon-states';
import { redisCheck } from '@sluice/stream/redis-check';
import { tryAdding } from '@sluice/stream/stream-producer';
import { MAINTENANCE_VARIABLES, readMaintenanceConfig } from './config.ts';
import { addDatabaseMetrics } from './database-metrics.ts';
import { EXPORTS_AT_ONCE } from './exports/export-runner.ts';
import { EXPORT_TIMEOUT_MS } from './exports/read-in-batches.ts';
import { startExports } from './exports/start-exports.ts';
import { allJobs } from './jobs/all-jobs.ts';
import { segmentsCheck } from './jobs/check-segments.ts';
import { createMaintenanceMetrics } from './maintenance-metrics.ts';
import { REPLAYS_AT_ONCE } from './replays/replay-runner.ts';
import { startReplays } from './replays/start-replays.ts';
import { registerUntilDone } from './running/register-until-done.ts';
import { REQUESTED_AT_ONCE, runRequests } from './running/request-runner.ts';
import { createRequestTraces } from './running/request-traces.ts';
import type { Runner } from './running/run-job.ts';
import { runSchedules, SCHEDULED_AT_ONCE } from './running/run-schedules.ts';
import { schedulesCheck } from './running/stale-jobs.ts';

/** Redis commands are given up after this long, in milliseconds. */
const COMMAND_TIMEOUT_MS = 1_000;

await startOrExit('maintenance-worker', async () => {
  useMemoryProfile('early-collection');
  const environment = readEnvironment();
  const config = readMaintenanceConfig(environment);
  const logger = await startLog('maintenance-worker', config, environment, MAINTENANCE_VARIABLES);
  const registry = createMetrics('maintenance-worker');
  const pools = createPoolMetrics(registry);

  const parts = new AsyncDisposableStack();
  const open = (pool: string, limits: { poolSize: number; statementTimeoutMs: number }) => {
    const options = {
      ...limits,
      url: config.DATABASE_URL,
      schema: config.DATABASE_SCHEMA,
      applicationName: APPLICATION_NAMES.maintenance,
    };
    return parts.adopt(openDatabase({ ...options, watchPool: pools.watch(pool) }), (database) => database.close());
  };
  const database = open('maintenance', {
    // Each replay holds one connection. Each run of a job holds two: one with its lock, one that it works on.
    poolSize: Math.max(config.DB_POOL_SIZE, REPLAYS_AT_ONCE + 2 * (SCHEDULED_AT_ONCE + REQUESTED_AT_ONCE) + 1),
    statementTimeoutMs: config.STATEMENT_TIMEOUT_MS,
  });
  // Exports have their own connections, because their statements take longer than all others. Each run holds two, for
  // its lock and its rows; one more serves short statements.
  const exportsDatabase = open('exports', {
    poolSize: 2 * EXPORTS_AT_ONCE + 1,
    statementTimeoutMs: EXPORT_TIMEOUT_MS,
  });
  const redis = connectRedis(config.REDIS_URL, {
    name: 'maintenance',
    logger,
    commandTimeoutMs: COMMAND_TIMEOUT_MS,
    autoPipelining: true,
  });
  parts.defer(() => redis.disconnect());

  const stopping = new AbortController();
  const jobs = allJobs(config);
  const metrics = createMaintenanceMetrics(
    registry,
    jobs.map(({ name }) => name),
  );
  addDatabaseMetrics(registry, database, config.SEGMENT_EVENTS);
  const runner: Runner = {
    context: { database, redis, config, logger },
    metrics,
    requests: createRequestTraces(),
    worker: `${hostname()}:${process.pid}`,
    stopping: stopping.signal,
  };
  const scheduled = config.ENABLE_BACKGROUND_TASKS;
  const registered = registerUntilDone(jobs, { database, logger, scheduled, signal: stopping.signal });
  const queue = { redisUrl: config.REDIS_URL, namespace: config.SLUICE_NAMESPACE, runner, registered };
  const schedules = scheduled ? runSchedules(jobs, queue) : null;
  if (schedules === null)
    logger.warn('ENABLE_BACKGROUND_TASKS=false: no job runs by schedule; replays and requested runs do');
  const shared = { config, database, logger, metrics, registered };
  const running: Service[] = [
    ...(schedules === null ? [] : [schedules]),
    runRequests(jobs, queue),
    startReplays({ ...shared, redis }),
    startExports({ ...shared, exportsDatabase }),
  ];

  const namespace = config.SLUICE_NAMESPACE;
  const checks = [
    redisCheck(redis, {
      work: () => Promise.all([tryWaking(redis, namespace), tryAdding(redis, namespace, config.STREAM_SHARDS)]),
    }),
    postgresCheck(database, () => STORES),
    segmentsCheck(database, config),
    ...(schedules === null ? [] : [schedulesCheck(schedules.state)]),
  ];
  const health = { host: config.HOST, port: config.MAINTENANCE_PORT, registry, checks };
  const { url } = parts.adopt(await startHealthServer(health), stop);
  const published = { daemon: 'maintenance-worker', checks, logger, ...statesIn(redis, namespace) };
  const reports = parts.adopt(startStateReports(published), stop);
  // Deferred last, so that these stop first, all at once. Each waits for its own runs; `/health` answers meanwhile.
  parts.defer(async () => {
    stopping.abort();
    // BullMQ waits up to 15 s for Redis at each close; an unavailable Redis must not turn this into a forced end.
    await waitAtMost(config.SHUTDOWN_TIMEOUT_MS * 0.6, Promise.all(running.map(stop)));
  });
  runUntilStopped(
    { url, parts, reports },
    { name: 'maintenance-worker', logger, shutdownTimeoutMs: config.SHUTDOWN_TIMEOUT_MS },
  );
});

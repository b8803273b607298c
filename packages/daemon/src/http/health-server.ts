import Fastify from 'fastify';
import { addMetricsRoute, type Metrics } from '../telemetry/metrics.ts';
import { answerBrokenRequest } from './broken-requests.ts';
import { addHealthMetrics } from './health-metrics.ts';
import { addHealthRoutes, type HealthCheck, type HealthOptions } from './health.ts';
import { listen, type ListeningServer } from './listen.ts';

/** How long a scrape or a probe that is still being answered delays the stop, in milliseconds. */
const PATIENCE_MS = 2_000;

/** Serves `/health`, `/ready`, `/live` and `/metrics` of a daemon that has no other routes. */
export async function startHealthServer(
  options: { host: string; port: number; registry: Metrics; checks: readonly HealthCheck[] } & HealthOptions,
): Promise<ListeningServer> {
  const { host, port, registry, checks, live } = options;
  const server = Fastify({
    logger: false,
    clientErrorHandler: (error, socket) => answerBrokenRequest(error, socket, () => {}),
  });
  addHealthMetrics(registry, checks);
  addHealthRoutes(server, checks, live === undefined ? {} : { live });
  addMetricsRoute(server, registry);
  return listen(server, { host, port, patienceMs: PATIENCE_MS });
}

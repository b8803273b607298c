import type { FastifyInstance } from 'fastify';
import { Gauge, Histogram } from 'prom-client';
import { exemplar, type Metrics } from '../telemetry/metrics.ts';
import { elapsedMs } from './request-clock.ts';

/** From half a millisecond to ten seconds: acknowledgements take single milliseconds, reads up to seconds. */
const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** The methods of OpenTelemetry's conventions. Node's parser accepts two dozen more; each would be a label. */
const METHODS = new Set(['CONNECT', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'TRACE']);

/**
 * Measures every request that is answered: rate, errors and duration, by method, route and status. Names and labels are
 * those of OpenTelemetry's conventions, as Prometheus writes them. Call it after `addRequestClock`, before the routes.
 */
export function addHttpMetrics(server: FastifyInstance, registry: Metrics): void {
  const registers = [registry];
  const duration = new Histogram({
    name: 'http_server_request_duration_seconds',
    help: 'Time from the headers of a request to the end of its answer.',
    labelNames: ['http_request_method', 'http_route', 'http_response_status_code'],
    buckets: SECONDS,
    enableExemplars: true,
    registers,
  });
  const active = new Gauge({
    name: 'http_server_active_requests',
    help: 'Requests that are not answered yet.',
    registers,
  });
  server.addHook('onRequest', (_request, reply, done) => {
    active.inc();
    // Also when the client hangs up: Fastify does not call onResponse then.
    reply.raw.once('close', () => active.dec());
    done();
  });
  server.addHook('onResponse', (request, reply, done) => {
    const exemplarLabels = exemplar();
    duration.observe({
      value: elapsedMs(request) / 1000,
      labels: {
        http_request_method: METHODS.has(request.method) ? request.method : '_OTHER',
        // Paths without a route share one label: a client could make up any number of them.
        http_route: request.routeOptions.url ?? '(none)',
        http_response_status_code: String(reply.statusCode),
      },
      ...(exemplarLabels === undefined ? {} : { exemplarLabels }),
    });
    done();
  });
}

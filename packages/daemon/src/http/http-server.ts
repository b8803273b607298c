import cors from '@fastify/cors';
import Fastify, { type FastifyInstance } from 'fastify';
import type { ApiErrorCode } from '@sluice/errors/api-errors';
import type { Logger } from '../log/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { addErrorAnswers, type ErrorAnswerOptions, passExpectations } from './error-answers.ts';
import { addHttpMetrics } from './http-metrics.ts';
import { addRequestNames } from './name-requests.ts';
import { addRequestClock } from './request-clock.ts';
import { serverOptions } from './server-options.ts';

/** What pages of other origins may send and read, besides what every API of Sluice allows. */
export interface CrossOriginRules {
  readonly methods: string[];
  readonly allowedHeaders: readonly string[];
  readonly exposedHeaders: readonly string[];
}

/** What differs between the APIs. */
export interface HttpServerOptions extends Pick<ErrorAnswerOptions, 'translate' | 'beforeAnswer'> {
  readonly config: {
    readonly REQUEST_TIMEOUT_MS: number;
    readonly TRUST_PROXY: string[];
    readonly CORS_ORIGINS: string[];
  };
  readonly logger: Logger;
  readonly registry: Metrics;
  /** True once the ordered stop has begun. */
  readonly isStopping: () => boolean;
  /** Largest body, in bytes. */
  readonly bodyLimit: number;
  /** Longest parameter in a path, in characters; Fastify's own limit is 100. */
  readonly maxParamLength?: number;
  readonly crossOrigin: CrossOriginRules;
  /** Called for each answer that no hook sees: to broken HTTP or an invalid URL. */
  readonly onUnrouted?: (code: ApiErrorCode) => void;
}

/**
 * Makes the server of an API, without routes. It names, times and measures each request, answers preflights, and gives
 * every error one shape. The caller adds its hooks, the documentation page and the routes.
 */
export async function createHttpServer(options: HttpServerOptions): Promise<FastifyInstance> {
  const { config, crossOrigin, maxParamLength } = options;
  const server = Fastify({
    ...serverOptions(config.REQUEST_TIMEOUT_MS, options.onUnrouted),
    bodyLimit: options.bodyLimit,
    trustProxy: config.TRUST_PROXY.length === 0 ? false : config.TRUST_PROXY,
    // A HEAD would do the same as its GET: on /collect, store an event.
    exposeHeadRoutes: false,
    ...(maxParamLength === undefined ? {} : { routerOptions: { maxParamLength } }),
  });
  passExpectations(server);
  addRequestNames(server);
  addRequestClock(server, options.isStopping);
  addHttpMetrics(server, options.registry);
  if (config.CORS_ORIGINS.length > 0) {
    await server.register(cors, {
      origin: config.CORS_ORIGINS.includes('*') ? '*' : config.CORS_ORIGINS,
      methods: crossOrigin.methods,
      allowedHeaders: ['content-type', 'authorization', 'x-api-key', 'x-request-id', ...crossOrigin.allowedHeaders],
      exposedHeaders: ['x-request-id', 'x-processing-time', 'retry-after', ...crossOrigin.exposedHeaders],
      maxAge: 86_400,
    });
  }
  // After CORS, so that a page can read why it was refused.
  addErrorAnswers(server, options);
  return server;
}

import type { FastifyInstance } from 'fastify';
import { messageOf } from '@sluice/errors/message-of';
import { VERSION } from '@sluice/errors/version';
import { withTimeout } from '../retry/with-timeout.ts';

/** What one check found. */
export interface CheckResult {
  readonly ok: boolean;
  /** Shown under `details`. */
  readonly detail?: Readonly<Record<string, unknown>>;
}

export interface HealthCheck {
  readonly name: string;
  /** Whether the daemon cannot work without this dependency. Its failure makes the daemon unhealthy and not ready. */
  readonly critical: boolean;
  run(): Promise<CheckResult> | CheckResult;
}

/** How long one dependency may take to answer, in milliseconds. */
const CHECK_TIMEOUT_MS = 1_000;

/** What a daemon may add to its health routes. */
export interface HealthOptions {
  /**
   * `ok: false` says that only a restart can help: `/live` then answers 503 with the detail. Must be ok while a
   * dependency is away, or its outage would restart every daemon. Must answer at once. Left out, a process that answers
   * is alive.
   */
  readonly live?: () => CheckResult;
}

/**
 * Adds `GET /health` (each dependency), `GET /ready` (503 while a critical one is away) and `GET /live`
 * (the event loop turns, and `options.live` is ok).
 */
export function addHealthRoutes(
  server: FastifyInstance,
  checks: readonly HealthCheck[],
  { live }: HealthOptions = {},
): void {
  const startedAt = performance.now();
  server.get('/health', { schema: HEALTH_DOCS }, async (_request, reply) => {
    const results = await runChecks(checks);
    const status = overall(results);
    return reply.code(status === 'unhealthy' ? 503 : 200).send({
      status,
      version: VERSION,
      uptime_seconds: Math.round((performance.now() - startedAt) / 1000),
      timestamp: new Date().toISOString(),
      checks: Object.fromEntries(results.map(({ check, result }) => [check.name, result.ok ? 'ok' : 'failed'])),
      details: Object.fromEntries(results.map(({ check, result }) => [check.name, result.detail ?? {}])),
    });
  });
  server.get('/ready', { schema: READY_DOCS }, async (_request, reply) => {
    const failed = failedCritical(await runChecks(checks.filter((check) => check.critical)));
    return reply.code(failed.length === 0 ? 200 : 503).send({
      ready: failed.length === 0,
      failed: failed.map(({ check }) => check.name),
      ...(failed.length === 0 ? {} : { reasons: reasonsOf(failed) }),
    });
  });
  server.get('/live', { schema: live === undefined ? LIVE_DOCS : LIVE_OR_NOT_DOCS }, (_request, reply) => {
    const { ok, detail } = live?.() ?? { ok: true };
    return reply.code(ok ? 200 : 503).send({ alive: ok, ...detail });
  });
}

/** Schema of a route for the OpenAPI page. Daemons without @fastify/swagger ignore `tags` and `summary`. */
function docs(summary: string, answers: Record<number, { description: string; example: object }>): object {
  const response = Object.entries(answers).map(([status, { description, example }]) => [
    status,
    { description, type: 'object', additionalProperties: true, examples: [example] },
  ]);
  return { tags: ['health'], summary, response: Object.fromEntries(response) };
}

const HEALTH_EXAMPLE = { version: '0.1.0', uptime_seconds: 4711, timestamp: '2026-11-21T09:30:00.000Z' };

const HEALTH_DOCS = docs('State of the daemon and of each dependency', {
  200: {
    description: 'It works. `degraded`: a dependency that it can work without has failed.',
    example: {
      status: 'healthy',
      ...HEALTH_EXAMPLE,
      checks: { redis: 'ok' },
      details: { redis: { version: '7.0.15' } },
    },
  },
  503: {
    description: 'A dependency that it cannot work without has failed.',
    example: {
      status: 'unhealthy',
      ...HEALTH_EXAMPLE,
      checks: { redis: 'failed' },
      details: { redis: { error: 'Connection is closed.' } },
    },
  },
});

const READY_DOCS = docs('Whether this instance can take work', {
  200: { description: 'It can.', example: { ready: true, failed: [] } },
  503: {
    description: 'It cannot; `reasons` says why, and what to do.',
    example: {
      ready: false,
      failed: ['redis'],
      reasons: { redis: 'Redis cannot be reached: connect ECONNREFUSED 127.0.0.1:6379' },
    },
  },
});

const ALIVE = { description: 'It is.', example: { alive: true } };
const LIVE_DOCS = docs('Whether the process is alive', { 200: ALIVE });
const LIVE_OR_NOT_DOCS = docs('Whether the process is alive', {
  200: ALIVE,
  503: { description: 'Only a restart can help.', example: { alive: false } },
});

/** A check and what came of it. */
export interface Checked {
  readonly check: HealthCheck;
  readonly result: CheckResult;
}

/** The state that results make: `degraded` when only what the daemon can do without has failed. */
export function overall(results: readonly Checked[]): 'healthy' | 'degraded' | 'unhealthy' {
  const failed = results.filter(({ result }) => !result.ok);
  if (failed.length === 0) return 'healthy';
  return failed.some(({ check }) => check.critical) ? 'unhealthy' : 'degraded';
}

/** The failed checks that make the daemon not ready. */
export function failedCritical(results: readonly Checked[]): Checked[] {
  return results.filter(({ check, result }) => check.critical && !result.ok);
}

/** Why a check failed, in a sentence; null when it does not say. */
export function reasonOf({ detail = {} }: CheckResult): string | null {
  const { error, warning, stalled } = detail as { error?: unknown; warning?: unknown; stalled?: { message?: unknown } };
  const reason = error ?? warning ?? stalled?.message;
  return typeof reason === 'string' ? reason : null;
}

/** Why each of these checks failed, by its name. */
export function reasonsOf(failed: readonly Checked[]): Record<string, string> {
  return Object.fromEntries(failed.map(({ check, result }) => [check.name, reasonOf(result) ?? 'see /health']));
}

/** Runs all checks at once. Never rejects, and takes no longer than the time-out of one check. */
export function runChecks(checks: readonly HealthCheck[]): Promise<Checked[]> {
  return Promise.all(checks.map(async (check) => ({ check, result: await runCheck(check) })));
}

async function runCheck(check: HealthCheck): Promise<CheckResult> {
  try {
    return await withTimeout(check.run(), CHECK_TIMEOUT_MS);
  } catch (error) {
    return { ok: false, detail: { error: messageOf(error) } };
  }
}

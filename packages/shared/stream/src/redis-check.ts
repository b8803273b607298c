import type { Redis } from 'ioredis';
import type { CheckResult, HealthCheck } from '@sluice/daemon/http/health';
import { describeRedisError, refusalOf } from './redis-refusal.ts';
import { isAfterDrop } from './suitable-redis.ts';

/**
 * Whether Redis does this daemon's work, and not only answers: a replica, a user without a permission, a key of another
 * type and a full memory all answer PING. The check asks by itself, so it passes again as soon as the work is possible.
 *
 * @param options.work asks for what the daemon does, without an effect; throws when Redis refuses
 * @param options.lastFailure error of the newest real command, while no later one has succeeded; it may have failed for
 *   a reason that `work` does not find
 * @param options.detail what else is shown
 */
export function redisCheck(
  redis: Redis,
  options: {
    work?: () => Promise<unknown>;
    lastFailure?: () => unknown;
    detail?: () => CheckResult['detail'];
  } = {},
): HealthCheck {
  let connectionError: Error | null = null;
  redis.on('error', (error: Error) => {
    if (!isAfterDrop(error)) connectionError = error;
  });
  redis.on('ready', () => {
    connectionError = null;
  });
  return {
    name: 'redis',
    critical: true,
    async run() {
      const detail = options.detail?.();
      try {
        await redis.ping();
        await options.work?.();
        const failure = options.lastFailure?.() ?? null;
        if (failure !== null) throw failure;
        return { ok: true, ...(detail === undefined ? {} : { detail }) };
      } catch (error) {
        // Without a connection a command only says that it could not be sent.
        const cause = redis.status === 'ready' ? error : (connectionError ?? error);
        const code = refusalOf(cause)?.code ?? 'UNREACHABLE';
        return { ok: false, detail: { ...detail, code, error: describeRedisError(cause) } };
      }
    },
  };
}

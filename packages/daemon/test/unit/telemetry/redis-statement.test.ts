import { expect, it } from 'vitest';
import { redisStatement } from '../../../src/telemetry/redis-statement.ts';

it.each([
  ['get', ['sluice:key'], 'get sluice:key'],
  ['set', ['sluice:key', 'secret', 'EX', 10], 'set sluice:key'],
  ['hset', ['sluice:keys', 'field', 'secret'], 'hset sluice:keys'],
  ['evalsha', ['d34db33f', 2, 'stream', 'totals', 'secret'], 'evalsha stream totals'],
  ['eval', ['return redis.call("get", "secret")', '0', 'secret'], 'eval'],
  ['evalsha_ro', ['d34db33f', '1', Buffer.from('stream')], 'evalsha_ro stream'],
  ['del', [['a', 'b'], 'c'], 'del a b c'],
  ['del', Array.from({ length: 20 }, (_, at) => `k${at}`), 'del k0 k1 k2 k3 k4 k5 k6 k7 … 12 more'],
  [
    'xreadgroup',
    ['GROUP', 'writers', 'w', 'COUNT', 1, 'STREAMS', '{e}:0', '{e}:1', '>', '>'],
    'xreadgroup {e}:0 {e}:1',
  ],
  ['xadd', ['stream', '*', 'b', 'secret'], 'xadd stream'],
  ['auth', ['user', 'secret'], 'auth'],
  ['config', ['SET', 'requirepass', 'secret'], 'config'],
  ['info', [], 'info'],
])('of %s only the keys are shown', (command, args, shown) => {
  expect(redisStatement(command, args)).toBe(shown);
  expect(redisStatement(command, args)).not.toContain('secret');
});

import { ReplyError } from 'ioredis';
import { expect, it } from 'vitest';
import { describeRedisError, refusalOf, UnsuitableRedisError } from '../../src/redis-refusal.ts';

/** An error as ioredis makes it of Redis's reply. */
function reply(message: string): Error {
  return new (ReplyError as unknown as new (message: string) => Error)(message);
}

it.each([
  ["READONLY You can't write against a read only replica.", 'READONLY', /read-only replica.*REDIS_URL/],
  ['READONLY Can not run script with write flag on readonly replica.', 'READONLY', /read-only replica/],
  ["NOPERM this user has no permissions to run the 'xadd' command", 'NOPERM', /ACL SETUSER.*'xadd'/],
  [
    "ERR ACL failure in script: User default has no permissions to run the 'xack' command script: f_1, on @user_script:3.",
    'NOPERM',
    /ACL SETUSER.*'xack'/,
  ],
  ['WRONGTYPE Operation against a key holding the wrong kind of value', 'WRONGTYPE', /SLUICE_NAMESPACE/],
  ["OOM command not allowed when used memory > 'maxmemory'.", 'OOM', /maxmemory/],
  ['MISCONF Errors writing to the AOF file: No space left on device', 'MISCONF', /disk/],
  ['NOREPLICAS Not enough good replicas to write.', 'NOREPLICAS', /replicas/],
  ['LOADING Redis is loading the dataset in memory', 'LOADING', /loading/],
  ['WRONGPASS invalid username-password pair or user is disabled.', 'WRONGPASS', /password/],
  ['MOVED 3999 127.0.0.1:6381', 'MOVED', /cluster mode/],
  ['ERR DB index is out of range', 'DATABASE', /database number of REDIS_URL/],
  ['ERR SELECT is not allowed in cluster mode', 'DATABASE', /cluster mode/],
  ['ERR something new', 'ERR', /something new/],
])('%s is a refusal with a code and an advice', (said, code, advice) => {
  const refusal = refusalOf(reply(said));
  expect(refusal?.code).toBe(code);
  expect(refusal?.message).toMatch(advice);
  expect(refusal?.message).toContain(said);
  expect(describeRedisError(reply(said))).toBe(refusal?.message);
});

it('an unsuitable server is a refusal too', () => {
  expect(refusalOf(new UnsuitableRedisError('CLUSTER', 'a cluster'))).toEqual({
    code: 'CLUSTER',
    message: 'a cluster',
  });
});

it.each([new Error('connect ECONNREFUSED 127.0.0.1:6379'), new Error('Command timed out'), 'no error'])(
  'without an answer there is no refusal: %s',
  (error) => {
    expect(refusalOf(error)).toBeNull();
    expect(describeRedisError(error)).toMatch(/^Redis cannot be reached: /);
  },
);

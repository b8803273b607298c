import { expect, it } from 'vitest';
import { redisUrlProblem } from '../../../src/config/redis-url.ts';

it.each([
  'redis://127.0.0.1',
  'redis://127.0.0.1:6379/',
  'redis://127.0.0.1:6379/0',
  'redis://127.0.0.1:6379/15\n',
  'rediss://user:p%40%3A%2F%23%3F%25%20%C3%A9@[::1]:6379/3',
  'redis://:secret-word@redis',
  'redis://redis?family=6',
  'redis://redis?db=3',
  'redis://redis/?db=3',
])('%s is taken', (url) => {
  expect(redisUrlProblem(url)).toBeNull();
});

it.each([
  ['redis://redis/abc', /^must end with the number of a database/],
  ['redis://redis/1/2', /^must end with the number/],
  ['redis://redis/-1', /^must end with the number/],
  ['redis://redis/1x', /^must end with the number/],
  ['redis://redis/0 1', /percent-encoded$/],
  ['redis://redis/%31', /^must end with the number/],
  ['redis://redis?ssl_cert_reqs=none', /^has the parameter ssl_cert_reqs, which has no effect; rediss:\/\/ is TLS$/],
  ['redis://redis?keyPrefix=x', /^has the parameter keyPrefix, which has no effect/],
  ['redis://redis?enableOfflineQueue=true', /^has the parameter enableOfflineQueue/],
  ['redis://redis?db=three', /^has the parameter db/],
  ['redis://redis/1?db=2', /^has the parameter db/],
  ['redis://redis?db=1&db=2', /^has the parameter db/],
  ['redis://redis?family=5', /^has the parameter family/],
  ['redis://redis?family=4&family=6', /^has the parameter family/],
  ['redis://redis:0', /^must have a port from 1 to 65535$/],
  ['redis://a:6379,b:6379', /^names several servers/],
  ['redis://a,b/0', /^names several servers/],
  ['/run/redis.sock', /not a Unix socket$/],
  ['unix:///run/redis.sock', /not a Unix socket$/],
  ['redis+unix:///run/redis.sock', /not a Unix socket$/],
  ['redis-sentinel://a:26379', /^must be a URL that starts with redis:\/\//],
  ['http://redis', /^must be a URL that starts with redis:\/\//],
  ['REDIS://redis', /^must be a URL that starts with redis:\/\//],
  ['redis', /^must be a URL that starts with redis:\/\//],
  ['redis://:secret-word#1@redis', /percent-encoded$/],
  ['redis://:12/secret-word@redis', /percent-encoded$/],
  ['redis://u:12?secret-word@redis', /percent-encoded$/],
  ['redis://:secret-word%zz@redis', /percent-encoded$/],
  ['redis://redis:99999', /percent-encoded$/],
])('%s is refused, and not shown', (url, problem) => {
  expect(redisUrlProblem(url)).toMatch(problem);
  expect(redisUrlProblem(url)).not.toContain('secret-word');
});

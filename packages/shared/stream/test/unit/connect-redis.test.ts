import { once } from 'node:events';
import { createServer } from 'node:net';
import { pino } from 'pino';
import { expect, it, onTestFinished } from 'vitest';
import { connectRedis } from '../../src/connect-redis.ts';

it('logs each reason of an outage once, and again in the next outage', async () => {
  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as { port: number };
  const lines: string[] = [];
  const logger = pino({ base: null, timestamp: false }, { write: (line: string) => void lines.push(line) });
  const redis = connectRedis(`redis://127.0.0.1:${port}`, { name: 'test', logger, commandTimeoutMs: 60_000 });
  onTestFinished(() => {
    redis.disconnect();
    silent.close();
  });
  const logged = () =>
    lines.splice(0).map((line) => {
      const { msg, error } = JSON.parse(line) as { msg: string; error?: string };
      return error === undefined ? msg : `${msg}: ${error}`;
    });

  for (const reason of ['a', 'b', 'a', 'b']) redis.emit('error', new Error(reason));
  expect(logged()).toEqual(['Redis cannot be reached: a', 'Redis cannot be reached: b']);
  redis.emit('ready');
  redis.emit('ready');
  expect(logged()).toEqual(['Redis is back']);
  redis.emit('error', new Error('a'));
  expect(logged()).toEqual(['Redis cannot be reached: a']);
});

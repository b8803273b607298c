import Fastify from 'fastify';
import { expect, it } from 'vitest';
import { listen } from '../../../src/http/listen.ts';

const ANYWHERE = { host: '127.0.0.1', port: 0 };

/** A server of which one answer waits until the test lets it go. */
async function slowServer(patienceMs: number) {
  const arrived = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<string>();
  const server = Fastify({ logger: false });
  server.get('/slow', () => {
    arrived.resolve();
    return answer.promise;
  });
  const listening = await listen(server, { ...ANYWHERE, patienceMs });
  return { listening, arrived: arrived.promise, answer };
}

it('a stop answers what has arrived and accepts nothing more; a second stop waits for the same end', async () => {
  const { listening, arrived, answer } = await slowServer(60_000);
  const request = fetch(`${listening.url}/slow`);
  await arrived;
  let ended = 0;
  const stops = [listening.stop(), listening.stop()].map((stop) => stop.then(() => (ended += 1)));
  expect(ended).toBe(0);
  answer.resolve('done');
  expect(await (await request).text()).toBe('done');
  await Promise.all(stops);
  await listening.stop();
  await expect(fetch(`${listening.url}/slow`)).rejects.toThrow('fetch failed');
});

it('what is not answered in time is cut', async () => {
  const { listening, arrived } = await slowServer(20);
  const [answered] = await Promise.allSettled([fetch(`${listening.url}/slow`), arrived.then(() => listening.stop())]);
  expect(answered.status).toBe('rejected');
});

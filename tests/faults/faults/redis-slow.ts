import type { Fault } from '../fault.ts';

export const redisSlow: Fault = {
  name: 'redis-slow',
  does: 'the connection from ingest to Redis becomes slow, then slower than the time-out (the write is done, the answer is a 503)',
  recoversWithinMs: 15_000,
  setup: { proxies: ['ingest-redis'] },
  async run({ rig, load }) {
    const proxy = rig.proxy('ingest-redis');
    proxy.slowDown(150);
    await load.more('acked', 20);
    proxy.slowDown(600);
    await load.more('refused', 20);
    proxy.slowDown(0);
  },
};

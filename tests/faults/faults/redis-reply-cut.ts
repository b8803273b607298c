import type { Fault } from '../fault.ts';

export const redisReplyCut: Fault = {
  name: 'redis-reply-cut',
  does: 'the connection of ingest breaks after the XADD and before its reply arrives',
  recoversWithinMs: 15_000,
  setup: { proxies: ['ingest-redis'] },
  async run({ rig, load, report }) {
    await rig.proxy('ingest-redis').cutReplies({ afterRequest: /\r\nxadd\r\n/i }, 5);
    report('five replies were cut');
    await load.more('acked', 20);
  },
};

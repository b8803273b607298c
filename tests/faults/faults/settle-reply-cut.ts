import type { Fault } from '../fault.ts';

/**
 * XACK and XDEL are one script, so nothing can come between them. But the connection can break between the script and
 * its reply: the writer must settle again what is already settled.
 */
export const settleReplyCut: Fault = {
  name: 'settle-reply-cut',
  does: "the writer's connection breaks after the settle script and before its reply arrives",
  recoversWithinMs: 15_000,
  setup: { proxies: ['writer-redis'] },
  async run({ rig, load, report }) {
    await rig.proxy('writer-redis').cutReplies({ afterRequest: /XACK/ }, 5);
    report('five replies were cut');
    await load.more('acked', 20);
  },
};

import type { Fault } from '../fault.ts';

/**
 * XACK and XDEL are one script, so nothing can come between them; what can is the end of the connection between
 * the script and its reply: the writer has to settle again what is settled.
 */
export const settleReplyCut: Fault = {
  name: 'settle-reply-cut',
  does: "the writer's connection breaks when Redis has acknowledged and deleted and before its reply arrives",
  recoversWithinMs: 15_000,
  setup: { proxies: ['writer-redis'] },
  async run({ rig, load, report }) {
    await rig.proxy('writer-redis').cutReplies({ afterRequest: /XACK/ }, 5);
    report('five replies were cut');
    await load.more('acked', 20);
  },
};

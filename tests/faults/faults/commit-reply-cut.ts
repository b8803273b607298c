import { COMMITTED_REPLY } from '../committed-reply.ts';
import type { Fault } from '../fault.ts';

export const commitReplyCut: Fault = {
  name: 'commit-reply-cut',
  does: 'the connection breaks after Postgres has committed and before the reply reaches the writer',
  recoversWithinMs: 15_000,
  setup: { proxies: ['writer-postgres'] },
  async run({ rig, load, report }) {
    await rig.proxy('writer-postgres').cutReplies({ inReply: COMMITTED_REPLY }, 5);
    report('five replies were cut');
    await load.more('acked', 20);
  },
};

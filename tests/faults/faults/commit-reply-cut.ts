import type { Fault } from '../fault.ts';

/** CommandComplete of a COMMIT: message `C`, its length (4 + 7), its tag. */
// oxlint-disable-next-line no-control-regex -- a binary protocol
const COMMITTED = /C\0\0\0\u000bCOMMIT\0/;

export const commitReplyCut: Fault = {
  name: 'commit-reply-cut',
  does: 'the connection breaks when Postgres has committed and before the writer hears of it',
  recoversWithinMs: 15_000,
  setup: { proxies: ['writer-postgres'] },
  async run({ rig, load, report }) {
    await rig.proxy('writer-postgres').cutReplies({ inReply: COMMITTED }, 5);
    report('five replies were cut');
    await load.more('acked', 20);
  },
};

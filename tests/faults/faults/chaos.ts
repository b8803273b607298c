import { COMMITTED_REPLY } from '../committed-reply.ts';
import type { Fault, FaultContext } from '../fault.ts';
import { killProcess, lasts } from '../processes.ts';

const BLOWS = 8;

/** Faults that may overlap. Each repairs what it broke, as a supervisor would. */
const BLOW_KINDS: Readonly<Record<string, (context: FaultContext) => Promise<void>>> = {
  async 'writer killed'({ rig }) {
    await rig.writer.kill();
    await rig.writer.start();
  },
  async 'ingest killed'({ rig }) {
    await rig.ingest.kill();
    await rig.ingest.start();
  },
  async 'Redis killed'({ rig, random }) {
    await killProcess(rig.redisServer.pid());
    await lasts(random.int(500));
    await rig.redisServer.start();
  },
  async 'Postgres crashed'({ rig, random }) {
    await rig.postgresServer.stop('immediate');
    await lasts(random.int(1_000));
    await rig.postgresServer.start();
  },
  async 'connections to Postgres lost'({ rig }) {
    rig.proxy('writer-postgres').loseConnections();
  },
  async 'connections of the writer to Redis lost'({ rig }) {
    rig.proxy('writer-redis').loseConnections();
  },
  async 'connections of ingest to Redis lost'({ rig }) {
    rig.proxy('ingest-redis').loseConnections();
  },
  async 'a commit not heard of'({ rig }) {
    // oxlint-disable-next-line no-control-regex -- CommandComplete, in a binary protocol
    void rig.proxy('writer-postgres').cutReplies({ inReply: COMMITTED_REPLY }, 1);
  },
};

export const chaos: Fault = {
  name: 'chaos',
  does: 'random faults follow each other at random times: daemons and servers are killed, connections are lost',
  recoversWithinMs: 40_000,
  setup: {
    proxies: ['ingest-redis', 'writer-redis', 'writer-postgres'],
    env: { STATEMENT_TIMEOUT_MS: '3000' },
  },
  async run(context) {
    for (let blow = 0; blow < BLOWS; blow += 1) {
      const name = context.random.pick(Object.keys(BLOW_KINDS));
      context.report(name);
      await BLOW_KINDS[name]!(context);
      await lasts(context.random.int(700));
    }
  },
};

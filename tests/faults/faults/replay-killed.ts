import type { FaultRig } from '../fault-rig.ts';
import { claim, type Fault } from '../fault.ts';
import { acceptPoison, refusePoison, untilDead } from '../poison-trigger.ts';
import { waitUntil } from '../wait-until.ts';

const LETTERS = 200;

/** Slow enough that the kill hits the middle of the replay. */
const PER_SECOND = 60;

interface Replay {
  readonly id: string;
  readonly state: string;
  readonly matched: number;
  readonly replayed: number;
}

export const replayKilled: Fault = {
  name: 'replay-killed',
  does: 'dead letters are replayed twice at the same time; in the middle the maintenance worker and the writer are killed',
  recoversWithinMs: 20_000,
  setup: { maintenance: true, query: true },
  load: { clients: 3 },
  async run({ rig, load }) {
    await refusePoison(rig);
    load.poisonShare = 0.5;
    await untilDead(rig, LETTERS);
    load.poisonShare = 0;
    await acceptPoison(rig);
    load.log.curePoison();

    const first = await replayAll(rig);
    claim(first.matched >= LETTERS, `the replay matches ${first.matched} dead letters`);
    await waitUntil('a part is replayed', async () => (await replayOf(rig, first.id)).replayed > LETTERS / 10);
    await rig.maintenance?.kill();
    await replayAll(rig);
    await rig.writer.kill();
    claim((await replayOf(rig, first.id)).replayed < first.matched, 'the replay was over before anything was killed');
    await rig.writer.start();
    await rig.maintenance?.start();
  },
  async prove({ rig }) {
    await waitUntil('all replays have come to their end', async () => (await unfinished(rig)) === 0, 300_000);
    // Events in flight when the first replay began lie beyond its frozen id.
    await replayAll(rig, 10_000);
    await waitUntil('the last replay has come to its end', async () => (await unfinished(rig)) === 0);
    const left = await rig.sql<{ state: string }>("SELECT state FROM dead_letters WHERE state <> 'replayed'");
    claim(left.length === 0, `${left.length} dead letters are left, the first is ${left[0]?.state}`);
    const odd = await rig.sql<{ state: string }>("SELECT state FROM replays WHERE state <> 'succeeded'");
    claim(odd.length === 0, `a replay is ${odd[0]?.state}`);
  },
};

async function replayAll(rig: FaultRig, perSecond = PER_SECOND): Promise<Replay> {
  const answer = await fetch(`${rig.query?.url}/api/dead-letters/replays`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ filter: {}, rate_per_second: perSecond, reason: 'the trigger is gone' }),
  });
  claim(answer.status === 202, `the replay is answered with ${answer.status}`);
  return (await answer.json()) as Replay;
}

async function replayOf(rig: FaultRig, id: string): Promise<Replay> {
  return (await (await fetch(`${rig.query?.url}/api/dead-letters/replays/${id}`)).json()) as Replay;
}

async function unfinished(rig: FaultRig): Promise<number> {
  const rows = await rig.sql("SELECT id FROM replays WHERE state IN ('queued', 'running')");
  return rows.length;
}

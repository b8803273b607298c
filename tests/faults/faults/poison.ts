import { claim, type Fault, type FaultContext } from '../fault.ts';
import { POISON_TYPE } from '../load-events.ts';
import { refusePoison, untilDead } from '../poison-trigger.ts';

async function proveReasons({ rig }: FaultContext): Promise<void> {
  const odd = await rig.sql(
    "SELECT id FROM dead_letters WHERE sqlstate <> '22023' OR reason <> 'invalid_value' OR payload IS NULL OR event_type <> $1",
    [POISON_TYPE],
  );
  claim(odd.length === 0, `${odd.length} dead letters do not say what is wrong with them`);
}

export const poisonOneIn500: Fault = {
  name: 'poison-1-in-500',
  does: 'the database refuses one event in 500; only these become dead letters',
  recoversWithinMs: 20_000,
  load: { clients: 3, maxBatch: 500 },
  async run({ rig, load }) {
    await refusePoison(rig);
    load.poisonShare = 1 / 500;
    await untilDead(rig, 10);
    load.poisonShare = 0;
  },
  prove: proveReasons,
};

export const poisonAll: Fault = {
  name: 'poison-all',
  does: 'for a while the database refuses every single event; all of them become dead letters',
  recoversWithinMs: 30_000,
  // A batch of only bad events takes five times as long as a good one. More load would only make a longer backlog.
  load: { clients: 2, maxBatch: 100, maxPauseMs: 100 },
  async run({ rig, load }) {
    await refusePoison(rig);
    load.poisonShare = 1;
    await untilDead(rig, 1_000);
    load.poisonShare = 0;
  },
  prove: proveReasons,
};

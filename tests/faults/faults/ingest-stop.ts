import { claim, type Fault } from '../fault.ts';

export const ingestStop: Fault = {
  name: 'ingest-stop',
  does: 'ingest is stopped in order (SIGTERM) under load and started again',
  recoversWithinMs: 10_000,
  async run({ random, rig, load }) {
    for (let stop = 0; stop < 2; stop += 1) {
      await load.more('acked', 1 + random.int(40));
      const code = await rig.ingest.stop();
      claim(code === 0, `ingest ended with ${code}`);
      await load.more('unknown', 3);
      await rig.ingest.start();
    }
  },
};

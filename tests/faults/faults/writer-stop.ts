import { claim, type Fault } from '../fault.ts';

export const writerStop: Fault = {
  name: 'writer-stop',
  does: 'the writer is stopped in order (SIGTERM) under load and started again',
  recoversWithinMs: 15_000,
  async run({ random, rig, load }) {
    for (let stop = 0; stop < 2; stop += 1) {
      await load.more('acked', 1 + random.int(40));
      const code = await rig.writer.stop();
      claim(code === 0, `the writer ended with ${code}`);
      await load.more('acked', 10);
      await rig.writer.start();
    }
  },
};

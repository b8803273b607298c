import type { Fault } from '../fault.ts';
import { whileTableIsLocked } from '../table-lock.ts';
import { waitUntil } from '../wait-until.ts';

export const tableLocked: Fault = {
  name: 'table-locked',
  does: 'another client locks the table events for longer than a statement may take',
  recoversWithinMs: 15_000,
  setup: { env: { STATEMENT_TIMEOUT_MS: '1000' } },
  async run({ rig, load }) {
    await whileTableIsLocked(rig, 'events', async () => {
      await waitUntil('statements time out', () => rig.writer.log().some((line) => line['code'] === '57014'));
      await load.more('acked', 50);
    });
  },
};

import type { Fault } from '../fault.ts';
import { lasts, whileFrozen } from '../processes.ts';

/** Longer than the time-out of a statement and the silence that a connection may keep after it. */
const HANG_MS = 8_000;

export const postgresHang: Fault = {
  name: 'postgres-hang',
  does: "Postgres hangs (SIGSTOP of the server and of the writer's backends): it neither answers nor closes; then it resumes",
  recoversWithinMs: 25_000,
  setup: { env: { STATEMENT_TIMEOUT_MS: '2000' } },
  async run({ rig, load }) {
    const backends = await rig.sql<{ pid: number }>(
      "SELECT pid FROM pg_stat_activity WHERE application_name = 'sluice-writer'",
    );
    let work = async (): Promise<void> => {
      await lasts(HANG_MS);
      await load.more('acked', 10);
    };
    for (const pid of [rig.postgresServer.pid(), ...backends.map((backend) => backend.pid)]) {
      const inner = work;
      work = () => whileFrozen(pid, inner);
    }
    await work();
  },
};

import type { Fault } from '../fault.ts';
import { waitUntil } from '../wait-until.ts';

export const postgresReadOnly: Fault = {
  name: 'postgres-read-only',
  does: 'Postgres becomes read-only, as during a failover, and writable again',
  recoversWithinMs: 20_000,
  async run({ rig, load }) {
    await rig.sql('ALTER SYSTEM SET default_transaction_read_only = on');
    await rig.sql('SELECT pg_reload_conf()');
    await waitUntil('the writer meets it', () => rig.writer.log().some((line) => line['code'] === '25006'));
    await load.more('acked', 50);
    await rig.sql('ALTER SYSTEM RESET default_transaction_read_only');
    await rig.sql('SELECT pg_reload_conf()');
  },
};

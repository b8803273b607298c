import type { FaultRig, ProxiedLink } from '../fault-rig.ts';
import { claim, type Fault } from '../fault.ts';
import { proveSchedulesTick, schedulesWritten } from '../schedules-tick.ts';

/** Bytes and FINs vanish. Only a time-out tells a daemon that its peer is gone. */
function lose(rig: FaultRig, link: ProxiedLink): void {
  claim(rig.proxy(link).loseConnections() > 0, `there was no connection on ${link}`);
}

export const ingestHalfOpen: Fault = {
  name: 'ingest-half-open',
  does: 'all connections from ingest to Redis become half-open: no byte, FIN or reset gets through',
  recoversWithinMs: 15_000,
  setup: { proxies: ['ingest-redis'] },
  run: async ({ rig }) => lose(rig, 'ingest-redis'),
};

export const writerHalfOpen: Fault = {
  name: 'writer-half-open',
  does: 'all connections from the writer to Redis become half-open',
  recoversWithinMs: 30_000,
  setup: { proxies: ['writer-redis'] },
  run: async ({ rig }) => lose(rig, 'writer-redis'),
};

export const postgresHalfOpen: Fault = {
  name: 'postgres-half-open',
  does: 'all connections from the writer to Postgres become half-open, transactions in flight included',
  recoversWithinMs: 30_000,
  setup: { proxies: ['writer-postgres'], env: { STATEMENT_TIMEOUT_MS: '3000' } },
  run: async ({ rig }) => lose(rig, 'writer-postgres'),
};

/**
 * An idle connection is found to be lost only by the QUIT of the stop, 15 s later. BullMQ closes its connections one
 * after the other, so with the default of 10 s this stop would end by force.
 */
export const maintenanceHalfOpen: Fault = {
  name: 'maintenance-half-open',
  does: 'all connections from the maintenance worker to Redis become half-open; afterwards schedules tick',
  recoversWithinMs: 15_000,
  setup: { proxies: ['maintenance-redis'], maintenance: true, env: { SHUTDOWN_TIMEOUT_MS: '60000' } },
  async run({ rig }) {
    await schedulesWritten(rig);
    lose(rig, 'maintenance-redis');
  },
  prove: ({ rig }) => proveSchedulesTick(rig),
};

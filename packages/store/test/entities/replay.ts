import { defineEntity, p } from '@mikro-orm/core';

/** A request to put dead letters back on the stream. The maintenance worker runs it. */
export const Replay = defineEntity({
  name: 'Replay',
  tableName: 'replays',
  checks: [
    {
      name: 'replays_state',
      expression: "state IN ('queued', 'running', 'paused', 'succeeded', 'failed', 'cancelled')",
    },
  ],
  properties: {
    id: p.uuid().primary(),
    state: p.text(),
    filter: p.json(),
    /** Highest id at the time of the request: what fails again gets a higher one and does not loop. */
    upperId: p.bigint(),
    /** Everything up to this id has been checked. */
    lastId: p.bigint().defaultRaw('0'),
    ratePerSecond: p.integer(),
    matched: p.bigint(),
    skipped: p.bigint().defaultRaw('0'),
    tenant: p.text().nullable(),
    requestedBy: p.text(),
    reason: p.text().nullable(),
    error: p.text().nullable(),
    createdAt: p.datetime(6).defaultRaw('now()'),
    startedAt: p.datetime(6).nullable(),
    finishedAt: p.datetime(6).nullable(),
  },
});

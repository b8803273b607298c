import { defineEntity, p } from '@mikro-orm/core';

/** One export: what it covers, where its files go, how far it is. Postgres is the only truth about it. */
export const ExportRun = defineEntity({
  name: 'ExportRun',
  tableName: 'export_runs',
  uniques: [
    {
      name: 'export_runs_one_window',
      properties: ['tenant'],
      where: "trigger IN ('schedule', 'rebase') AND state IN ('queued', 'running', 'paused')",
    },
  ],
  indexes: [
    { name: 'export_runs_tenant', properties: ['tenant', 'createdAt'] },
    { name: 'export_runs_live', properties: ['createdAt'], where: "state IN ('queued', 'running')" },
  ],
  checks: [
    { name: 'export_runs_trigger', expression: "trigger IN ('schedule', 'request', 'archive', 'rebase')" },
    {
      name: 'export_runs_state',
      expression: "state IN ('queued', 'running', 'paused', 'succeeded', 'failed', 'cancelled')",
    },
  ],
  properties: {
    id: p.uuid().primary(),
    /** Null for an archive, which holds all tenants. */
    tenant: p.text().nullable(),
    trigger: p.text(),
    state: p.text(),
    format: p.text(),
    compression: p.text(),
    /** DestinationSettings, without secrets. */
    destination: p.json(),
    backup: p.json().nullable(),
    /** By `stored_at`; of a requested run. */
    since: p.datetime(6).nullable(),
    until: p.datetime(6).nullable(),
    /** The detached table that an archive holds. */
    partition: p.text().nullable(),
    /** Position and Fence of maintenance-worker/src/fence/: fixed at the first start, so that a retry covers the same. */
    fromPosition: p.json().nullable(),
    toFence: p.json().nullable(),
    rowsDone: p.bigint().defaultRaw('0'),
    rowsExpected: p.bigint().nullable(),
    bytesDone: p.bigint().defaultRaw('0'),
    manifest: p.json().nullable(),
    manifestKey: p.text().nullable(),
    attempts: p.integer().defaultRaw('0'),
    nextAttemptAt: p.datetime(6).nullable(),
    errorCode: p.text().nullable(),
    error: p.text().nullable(),
    requestedBy: p.text(),
    createdAt: p.datetime(6).defaultRaw('now()'),
    startedAt: p.datetime(6).nullable(),
    finishedAt: p.datetime(6).nullable(),
  },
});

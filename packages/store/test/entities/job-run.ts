import { defineEntity, p } from '@mikro-orm/core';

/** One run of a job: what it was told, how far it is and how it ended. */
export const JobRun = defineEntity({
  name: 'JobRun',
  tableName: 'job_runs',
  indexes: [
    { name: 'job_runs_job', properties: ['job', 'createdAt', 'id'] },
    { name: 'job_runs_created', properties: ['createdAt', 'id'] },
    { name: 'job_runs_live', properties: ['job', 'createdAt'], where: "state IN ('queued', 'running')" },
  ],
  checks: [
    {
      name: 'job_runs_state',
      expression: "state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')",
    },
    { name: 'job_runs_trigger', expression: "trigger IN ('schedule', 'request')" },
  ],
  properties: {
    id: p.uuid().primary(),
    job: p.text(),
    state: p.text(),
    trigger: p.text(),
    /** Name of the operator's key; null for a scheduled run. */
    requestedBy: p.text().nullable(),
    input: p.json().defaultRaw("'{}'"),
    rows: p.bigint().defaultRaw('0'),
    /** Of how many, where the job knows. */
    rowsExpected: p.bigint().nullable(),
    details: p.json().defaultRaw("'{}'"),
    error: p.text().nullable(),
    /** Host and process that ran it. */
    worker: p.text().nullable(),
    /** Slot of the job that it used: while it runs, its worker holds the advisory lock of that slot. */
    slot: p.integer().nullable(),
    createdAt: p.datetime(6).defaultRaw('now()'),
    startedAt: p.datetime(6).nullable(),
    finishedAt: p.datetime(6).nullable(),
  },
});

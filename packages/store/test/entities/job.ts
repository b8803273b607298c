import { defineEntity, p } from '@mikro-orm/core';

/** A job of the maintenance workers, as they last wrote it down. */
export const Job = defineEntity({
  name: 'Job',
  tableName: 'jobs',
  properties: {
    name: p.text().primary(),
    description: p.text(),
    /** `{"everyMs": …}` or `{"cron": …}` in UTC; null for a job that only runs on request. */
    schedule: p.json().nullable(),
    timeoutMs: p.bigint(),
    /** Runs that may be in flight at once, over all workers. */
    concurrency: p.integer(),
    /** JSON schema of what a requested run may be told. */
    input: p.json(),
    nextRunAt: p.datetime(6).nullable(),
    /** When the schedule last came due and a worker heard of it. */
    lastTickAt: p.datetime(6).nullable(),
    /** When it last came due while the run before was still running. */
    lastSkippedAt: p.datetime(6).nullable(),
    lastSucceededAt: p.datetime(6).nullable(),
    /** Without a success until then, something is wrong with it. */
    staleAt: p.datetime(6).nullable(),
  },
});

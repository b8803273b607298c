import type { Queue } from 'bullmq';
import type { Job } from '../jobs/job.ts';
import { repeatOf } from './stale-at.ts';

/** The schedule of a tick that is this near, in milliseconds, is not written: writing it could remove the tick. */
const NEAR_MS = 1_000;

/** Postgres has the history. A tick must not join the trace of the one before, or all ticks would be one trace. */
const TICK_OPTIONS = { removeOnComplete: true, removeOnFail: 100, telemetry: { omitContext: true } };

/**
 * Writes all schedules again.
 *
 * Writing an unchanged schedule does not move its next tick: BullMQ removes the waiting tick and adds it for the same
 * time. A schedule whose next tick Redis refused gets a next tick again, at the next multiple of its interval.
 *
 * @throws the error of Redis, e.g. that it is over maxmemory
 */
export async function writeSchedules(queue: Queue, jobs: readonly Job[]): Promise<void> {
  for (const job of jobs) {
    if (job.schedule !== null && !(await isNear(queue, job.name))) await writeSchedule(queue, job, false);
  }
}

/** Removes the schedules of jobs that this version does not have. */
export async function removeOtherSchedules(queue: Queue, jobs: readonly Job[]): Promise<void> {
  const names = new Set(jobs.filter((job) => job.schedule !== null).map((job) => job.name));
  for (const { key } of await queue.getJobSchedulers()) {
    if (!names.has(key)) await queue.removeJobScheduler(key);
  }
}

/** Writes a schedule from scratch, with its first tick now: for one that seems intact and does not tick. */
export async function restartSchedule(queue: Queue, job: Job): Promise<void> {
  await queue.removeJobScheduler(job.name);
  await writeSchedule(queue, job, true);
}

/** When each schedule ticks next. */
export async function nextTicks(queue: Queue): Promise<Map<string, Date>> {
  const schedulers = await queue.getJobSchedulers();
  return new Map(schedulers.flatMap(({ key, next }) => (next === undefined ? [] : [[key, new Date(next)]])));
}

async function writeSchedule(queue: Queue, { name, schedule }: Job, now: boolean): Promise<void> {
  if (schedule === null) return;
  // A new schedule by interval begins with a tick at once; one by the calendar only when asked to.
  const repeat = 'cron' in schedule && now ? { ...repeatOf(schedule), immediately: true } : repeatOf(schedule);
  await queue.upsertJobScheduler(name, repeat, { name, opts: TICK_OPTIONS });
}

/** Whether a tick is due or nearly due and not taken yet: writing a cron schedule would replace and so lose it. */
async function isNear(queue: Queue, name: string): Promise<boolean> {
  const next = (await queue.getJobScheduler(name))?.next;
  if (next === undefined || next > Date.now() + NEAR_MS) return false;
  const state = await queue.getJobState(`repeat:${name}:${next}`);
  return state === 'delayed' || state === 'waiting';
}

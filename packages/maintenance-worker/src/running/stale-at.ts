import { getNextMillis } from 'bullmq';
import type { Job, Schedule } from '../jobs/job.ts';

/** Ticks that may pass without a success before a job counts as stale: one may be lost, one may fail. */
const TICKS = 3;

/** A schedule as BullMQ writes it. */
export function repeatOf(schedule: Schedule): { every: number } | { pattern: string; tz: string } {
  return 'everyMs' in schedule ? { every: schedule.everyMs } : { pattern: schedule.cron, tz: 'UTC' };
}

/**
 * When a scheduled job that last succeeded at `since` should have succeeded again: after three of its ticks, plus the
 * time that a run may take. Null for a job without a schedule.
 */
export function staleAt({ schedule, timeoutMs }: Pick<Job, 'schedule' | 'timeoutMs'>, since: Date): Date | null {
  if (schedule === null) return null;
  if ('everyMs' in schedule) return new Date(since.getTime() + TICKS * schedule.everyMs + timeoutMs);
  let tick = since.getTime();
  for (let at = 0; at < TICKS; at += 1) tick = getNextMillis(tick, repeatOf(schedule)) ?? tick;
  return new Date(tick + timeoutMs);
}

import type { HealthCheck } from '@sluice/daemon/http/health';
import type { Database } from '@sluice/store/database';
import { problemsOf, readUnsealed } from '@sluice/store/layout/segment-problems';
import type { MaintenanceConfig } from '../config.ts';
import { type Job, type JobContext, type JobResult, MINUTE_MS } from './job.ts';

/**
 * Fails when no segment takes events or will take them, when many wait for sealing, or when the hot one is far too large: the
 * log, the history and metrics show a failed run.
 */
export const checkSegmentsJob = {
  name: 'check-segments',
  description: 'Fails when a segment is missing, too large, or waits too long to be sealed',
  schedule: { everyMs: MINUTE_MS },
  timeoutMs: MINUTE_MS,
  concurrency: 1,
  run: checkSegments,
} satisfies Job;

async function checkSegments({ database, config }: JobContext): Promise<JobResult> {
  const problems = problemsOf(await readUnsealed(database.db), config.SEGMENT_EVENTS);
  if (problems.length === 0) return { rows: 0 };
  throw new Error(`${problems.join('; ')}. Run: sluice jobs run rotate-segments, or seal-segments`);
}

/** The same check for `/health`, which is degraded while something is wrong. */
export function segmentsCheck(database: Database, config: Pick<MaintenanceConfig, 'SEGMENT_EVENTS'>): HealthCheck {
  return {
    name: 'segments',
    critical: false,
    async run() {
      const { missing, closed, hotEvents } = await readUnsealed(database.db);
      const problems = problemsOf({ missing, closed, hotEvents }, config.SEGMENT_EVENTS);
      return {
        ok: problems.length === 0,
        detail: { missing, closed, hot_events: Math.round(hotEvents), problems },
      };
    },
  };
}

import type { Orm } from '@sluice/shared/database/orm';
import { makePartitionsJob } from './jobs/make-partitions.ts';

/** What handlers get. */
export interface JobContext {
  readonly orm: Orm;
}

/** One scheduled job. */
export interface ScheduledJob {
  readonly name: string;
  /** Time between two runs, in milliseconds. */
  readonly everyMs: number;
  readonly run: (context: JobContext) => Promise<Record<string, unknown>>;
}

const HOUR_MS = 60 * 60 * 1000;

/** Every scheduled job there is. */
export const SCHEDULED_JOBS: readonly ScheduledJob[] = [
  { name: 'make-partitions', everyMs: HOUR_MS, run: makePartitionsJob },
];

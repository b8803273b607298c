import type { Redis } from 'ioredis';
import type { TObject } from 'typebox';
import type { Logger } from '@sluice/daemon/log/logger';
import type { Database } from '@sluice/store/database';
import type { MaintenanceConfig } from '../config.ts';

export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;

/** When a job runs without a request; cron patterns are in UTC. */
export type Schedule = { readonly everyMs: number } | { readonly cron: string };

/**
 * One job of the maintenance worker. Each is one file of this folder, named after the job. All have this shape, so that
 * all are scheduled, traced and listed alike. `all-jobs.ts` lists them.
 */
export interface Job {
  readonly name: string;
  /** One line, for `sluice jobs list`. */
  readonly description: string;
  /** Null for a job that runs on request only. */
  readonly schedule: Schedule | null;
  /** After this long, in milliseconds, the run's signal is aborted and the run has failed. */
  readonly timeoutMs: number;
  /** Most runs at the same time, over all maintenance workers. */
  readonly concurrency: number;
  /** Schema of a request's input; left out for a job without input. */
  readonly input?: TObject;
  /**
   * Does all the work there is at the moment, in bounded batches, and checks the signal between two batches.
   *
   * @throws any error: the run has failed then, and what its batches committed stays
   */
  readonly run: (context: JobContext, run: JobRun) => Promise<JobResult>;
}

/** What every job works with; made once, at the start of the worker. */
export interface JobContext {
  readonly database: Database;
  readonly redis: Redis;
  readonly config: MaintenanceConfig;
  readonly logger: Logger;
}

/** One run of a job. */
export interface JobRun {
  readonly id: string;
  /** Valid by the job's `input` schema; empty for a scheduled run. */
  readonly input: Readonly<Record<string, unknown>>;
  /** Aborted by the job's time-out, a cancel, and an ordered stop. */
  readonly signal: AbortSignal;
  /** Reports the rows done so far and, where known, the total; shown while the job runs. */
  progress(done: number, of?: number): void;
}

/** What a run writes to the history. */
export interface JobResult {
  /** Rows made, changed or deleted; the job's description says what a row is. */
  readonly rows: number;
  readonly details?: Readonly<Record<string, unknown>>;
}

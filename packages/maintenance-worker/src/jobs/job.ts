import type { Redis } from 'ioredis';
import type { TObject } from 'typebox';
import type { Logger } from '@sluice/daemon/log/logger';
import type { Database } from '@sluice/store/database';
import type { MaintenanceConfig } from '../config.ts';

export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;

/** When a job runs by itself; cron patterns are in UTC. */
export type Schedule = { readonly everyMs: number } | { readonly cron: string };

/**
 * One job of the maintenance worker. Each is one file of this folder, named after the job, and all have this shape, so
 * that all are scheduled, traced and listed alike. `all-jobs.ts` lists them.
 */
export interface Job {
  readonly name: string;
  /** One line, for `sluice jobs list`. */
  readonly description: string;
  /** Null for a job that runs on request only. */
  readonly schedule: Schedule | null;
  /** After this long its signal is aborted and the run has failed, in milliseconds. */
  readonly timeoutMs: number;
  /** Most runs at the same time, over all maintenance workers. */
  readonly concurrency: number;
  /** Schema of what a request may say; left out when there is nothing to say. */
  readonly input?: TObject;
  /**
   * Does all there is to do at the moment, in bounded batches, and checks the signal between two of them.
   *
   * @throws what went wrong; the run has failed then, and what its batches committed stays
   */
  readonly run: (context: JobContext, run: JobRun) => Promise<JobResult>;
}

/** What every job gets; made once, at the start of the worker. */
export interface JobContext {
  readonly database: Database;
  readonly redis: Redis;
  readonly config: MaintenanceConfig;
  readonly logger: Logger;
}

/** One run of a job. */
export interface JobRun {
  readonly id: string;
  /** By the job's `input` schema; empty for a scheduled run. */
  readonly input: Readonly<Record<string, unknown>>;
  /** Aborted by the job's time-out and by an ordered stop. */
  readonly signal: AbortSignal;
  /** Reports rows done so far and, where known, of how many; shown while the job runs. */
  progress(done: number, of?: number): void;
}

/** What a run leaves in the history. */
export interface JobResult {
  /** Rows made, changed or deleted; what a row is, the job's description says. */
  readonly rows: number;
  readonly details?: Readonly<Record<string, unknown>>;
}

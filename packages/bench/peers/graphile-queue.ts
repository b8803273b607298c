import { createRequire } from 'node:module';
import { join } from 'node:path';

/** Name of the task, for the two that use it. */
export const BATCH_TASK = 'store-batch';

/** What is used of graphile-worker, which is not among the workspace's packages. */
export interface GraphileWorker {
  makeWorkerUtils(this: void, options: { preset: Preset }): Promise<WorkerUtils>;
  run(
    this: void,
    options: {
      preset: Preset;
      noHandleSignals: true;
      parsedCronItems: readonly [];
      taskList: Readonly<Record<string, (payload: unknown) => Promise<void>>>;
    },
  ): Promise<Runner>;
}
interface Preset {
  readonly worker: {
    readonly connectionString: string;
    readonly maxPoolSize: number;
    readonly concurrentJobs?: number;
    readonly localQueue?: { readonly size: number };
    readonly completeJobBatchDelay?: number;
    readonly failJobBatchDelay?: number;
  };
}
interface WorkerUtils {
  addJob(task: string, payload: unknown): Promise<unknown>;
  release(): Promise<void>;
}
interface Runner {
  stop(): Promise<void>;
}

/** Loads graphile-worker from the folder in which the benchmark installed it. */
export function loadGraphileWorker(packages: string): GraphileWorker {
  return createRequire(join(packages, 'package.json'))('graphile-worker') as GraphileWorker;
}

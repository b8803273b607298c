/** What can be wrong with a run, beside what is wrong with its destination; docs/reference/errors.md lists them all. */
export const RUN_PROBLEMS = {
  other_cluster:
    'The data was restored into another PostgreSQL cluster, where the ids of its transactions mean nothing.',
  superseded: 'A later run has exported this window; a retry would export it twice.',
  too_many_attempts: 'The destination could not be reached in as many attempts as a requested run has.',
  interrupted: 'Something else than the destination ended the attempt, mostly Postgres that was away.',
  archive_failed: 'A partition could not be archived, or was not as its manifest says; it is not dropped.',
} as const;

/** A code of `export_runs.error_code` that no destination gives. */
export type RunProblem = keyof typeof RUN_PROBLEMS;

/** Ends a run for good: trying again by itself can't help. */
export class RunError extends Error {
  readonly code: 'other_cluster' | 'superseded';

  constructor(code: RunError['code'], message: string) {
    super(message);
    this.name = 'RunError';
    this.code = code;
  }
}

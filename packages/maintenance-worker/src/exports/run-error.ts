/** What can be wrong with a run, besides problems of its destination; docs/reference/errors.md lists both. */
export const RUN_PROBLEMS = {
  other_cluster:
    'The data was restored into another PostgreSQL cluster, where the ids of its transactions mean nothing.',
  superseded: 'A later run has exported this window; a retry would export it twice.',
  too_many_attempts: 'None of the attempts that a requested run has ended well.',
  interrupted: 'Something else than the destination ended the attempt, mostly Postgres that was away.',
  archive_failed: 'A segment could not be archived, or was not as its manifest says; it is not dropped.',
} as const;

/** A code of `export_runs.error_code` that is not a destination's. */
export type RunProblem = keyof typeof RUN_PROBLEMS;

/** Fails a run for good: retrying can't help. */
export class RunError extends Error {
  readonly code: 'other_cluster' | 'superseded' | 'too_many_attempts';

  constructor(code: RunError['code'], message: string) {
    super(message);
    this.name = 'RunError';
    this.code = code;
  }
}

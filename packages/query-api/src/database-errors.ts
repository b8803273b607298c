import { ApiError } from '@sluice/shared/errors/api-errors';
import { classifyFailure, isServerAway } from '@sluice/writer-worker/failure-policy';

/** SQLSTATE of a statement that was cancelled: it took longer than STATEMENT_TIMEOUT_MS. */
const QUERY_CANCELED = '57014';

/** Seconds after which trying again makes sense. */
const RETRY_AFTER_SECONDS = 2;

/** What Postgres answered, in Sluice's words; null for what is a defect. */
export function translateDatabaseError(error: Error): ApiError | null {
  if (error instanceof ApiError) return error;
  const failure = classifyFailure(error);
  if (failure.code === QUERY_CANCELED) {
    return new ApiError('query_timeout', 'PostgreSQL did not answer in time; narrow the filter.', { cause: error });
  }
  if (isServerAway(failure) || failure.kind === 'transient') {
    return new ApiError('database_unavailable', 'PostgreSQL cannot be reached or takes no work at the moment.', {
      retryAfter: RETRY_AFTER_SECONDS,
      cause: error,
    });
  }
  return null;
}

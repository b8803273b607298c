import { ApiError } from '@sluice/errors/api-errors';
import { classifyFailure, isServerAway } from '@sluice/store/write/failure-policy';
import { clientGone } from './client-gone.ts';

/** Node's code for a download whose client hung up. */
const CLIENT_GONE = 'ERR_STREAM_PREMATURE_CLOSE';

/** SQLSTATE of a statement that was cancelled: it took longer than STATEMENT_TIMEOUT_MS. */
const QUERY_CANCELED = '57014';

/** SQLSTATEs of a table or a schema that is not there. */
const SCHEMA_MISSING: ReadonlySet<string> = new Set(['42P01', '3F000']);

/** SQLSTATE of a privilege that the role lacks. */
const PRIVILEGE_MISSING = '42501';

/** Seconds after which a client may try again. */
const RETRY_AFTER_SECONDS = 2;

/**
 * Runs a query. Its time-out tells the client what would make the query faster.
 *
 * @param hint what to narrow; ends the sentence "PostgreSQL did not answer in time: …"
 * @throws ApiError `query_timeout` with the hint; whatever else the query throws as it is
 */
export async function withTimeoutHint<T>(hint: string, query: () => Promise<T>): Promise<T> {
  try {
    return await query();
  } catch (error) {
    if (error instanceof ApiError || classifyFailure(error).code !== QUERY_CANCELED) throw error;
    throw new ApiError('query_timeout', `PostgreSQL did not answer in time: ${hint}`, { cause: error });
  }
}

/** Translates an error of Postgres into one of the API; null for a defect. */
export function translateDatabaseError(error: Error): ApiError | null {
  if (error instanceof ApiError) return error;
  if ('code' in error && error.code === CLIENT_GONE) return clientGone();
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
  if (SCHEMA_MISSING.has(failure.code)) {
    return new ApiError(
      'schema_missing',
      `The database has not Sluice's tables: ${failure.message}. /health says more.`,
      {
        cause: error,
      },
    );
  }
  if (failure.code === PRIVILEGE_MISSING) {
    return new ApiError('privilege_missing', `PostgreSQL refused the statement: ${failure.message}.`, { cause: error });
  }
  return null;
}

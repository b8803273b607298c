import { messageOf } from '@sluice/errors/message-of';

/** What the log says about an error. */
export interface ErrorDescription {
  readonly type: string;
  readonly message: string;
  readonly stack: string;
  /** SQLSTATE, errno or a library's own code. */
  readonly code?: string | number;
  readonly cause?: ErrorDescription;
  /** Of an AggregateError. */
  readonly errors?: readonly ErrorDescription[];
}

/** How deep causes are described. */
const MAX_DEPTH = 5;

/**
 * Picks what may be logged of an error; all else is left out. Libraries add secrets to theirs: ioredis the command with
 * its arguments (AUTH's is the password), pg the row in `detail`, AWS the whole answer, Node the input of `new URL`.
 */
export function describeError(error: Error, depth = 0): ErrorDescription {
  const { code, cause, errors } = error as { code?: unknown; cause?: unknown; errors?: unknown };
  const deeper = depth < MAX_DEPTH;
  const inner = Array.isArray(errors) ? errors.filter((each) => each instanceof Error) : [];
  return {
    type: error.constructor.name,
    message: messageOf(error),
    stack: error.stack ?? '',
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    ...(deeper && cause instanceof Error ? { cause: describeError(cause, depth + 1) } : {}),
    ...(deeper && inner.length > 0 ? { errors: inner.map((each) => describeError(each, depth + 1)) } : {}),
  };
}

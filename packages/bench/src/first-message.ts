import { messageOf } from '@sluice/errors/message-of';

/** The message of the first error. When stopping failed after it, that is the outer error. */
export function firstMessageOf(error: unknown): string {
  return error instanceof SuppressedError ? firstMessageOf(error.suppressed) : messageOf(error);
}

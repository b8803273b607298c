import { messageOf } from '@sluice/errors/message-of';

/** What went wrong first: where stopping failed after it, that is the outer error. */
export function firstMessageOf(error: unknown): string {
  return error instanceof SuppressedError ? firstMessageOf(error.suppressed) : messageOf(error);
}

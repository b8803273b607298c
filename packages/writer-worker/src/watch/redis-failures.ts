import { messageOf } from '@sluice/errors/message-of';

/** Something that Redis keeps refusing, for `/health` and `/ready`. */
export interface RedisFailure {
  /** What the writer was doing, e.g. `reading sluice:{events:0}`. */
  readonly doing: string;
  /** First word of Redis's error (NOPERM, READONLY, WRONGTYPE …), or the errno of the connection. */
  readonly code: string;
  readonly message: string;
  /** ISO 8601. */
  readonly since: string;
}

/**
 * Collects what the writer cannot do in Redis at the moment. A ping does not show it: a role may lack the right to read or
 * to acknowledge, a server may be a replica, a key may have another type.
 */
export class RedisFailures {
  readonly #current = new Map<string, RedisFailure>();

  /** Notes a failed try. `since` stays that of the first one. */
  failed(doing: string, error: unknown): void {
    const message = messageOf(error);
    const since = this.#current.get(doing)?.since ?? new Date().toISOString();
    this.#current.set(doing, { doing, code: codeOf(error, message), message, since });
  }

  /** Notes that it worked. */
  worked(doing: string): void {
    this.#current.delete(doing);
  }

  /** What fails at the moment, the oldest first. */
  get current(): readonly RedisFailure[] {
    return [...this.#current.values()];
  }
}

function codeOf(error: unknown, message: string): string {
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code === 'string') return code;
  return /^[A-Z]{3,}\b/.exec(message)?.[0] ?? 'unknown';
}

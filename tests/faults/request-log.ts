/**
 * How a request ended for its client: `acked` is a 202; `refused` any other answer; `unknown` no answer at all
 * (the connection broke, or it took too long).
 */
export type Verdict = 'acked' | 'refused' | 'unknown';

/** One request, once. */
export interface Attempt {
  readonly startedAt: number;
  readonly endedAt: number;
  readonly verdict: Verdict;
  /** HTTP status; null without an answer. */
  readonly status: number | null;
}

/** Events that were sent together, each time with the same ids. */
export interface LoggedBatch {
  readonly ids: readonly string[];
  readonly attempts: Attempt[];
}

/** What the clients know of an event: acked by any of its requests, else maybe stored, else refused. */
export interface Standing {
  readonly verdict: Verdict;
  /** How many of its requests may have reached the queue: a 503 or no answer leaves that open. */
  readonly mayBeQueued: number;
  readonly poison: boolean;
  readonly batch: LoggedBatch;
}

/** Every request of a run. */
export class RequestLog {
  readonly batches: LoggedBatch[] = [];
  readonly #poison = new Set<string>();
  readonly #counts: Record<Verdict, number> = { acked: 0, refused: 0, unknown: 0 };

  /** @param poison ids that the database will refuse */
  open(ids: readonly string[], poison: readonly string[]): LoggedBatch {
    const batch: LoggedBatch = { ids, attempts: [] };
    this.batches.push(batch);
    for (const id of poison) this.#poison.add(id);
    return batch;
  }

  /** From now on former poison can be stored: the trigger is gone. */
  curePoison(): void {
    this.#poison.clear();
  }

  note(batch: LoggedBatch, attempt: Attempt): void {
    batch.attempts.push(attempt);
    this.#counts[attempt.verdict] += 1;
  }

  /** Counts requests that ended this way. */
  requests(verdict: Verdict): number {
    return this.#counts[verdict];
  }

  /** Requests that were both sent and acked within a span of time. */
  ackedWithin(from: number, to: number): number {
    return this.batches
      .flatMap((batch) => batch.attempts)
      .filter(({ verdict, startedAt, endedAt }) => verdict === 'acked' && startedAt >= from && endedAt <= to).length;
  }

  /** What is known of each event id. */
  standings(): Map<string, Standing> {
    const standings = new Map<string, Standing>();
    for (const batch of this.batches) {
      if (batch.attempts.length === 0) continue;
      const has = (verdict: Verdict): boolean => batch.attempts.some((attempt) => attempt.verdict === verdict);
      const verdict = has('acked') ? 'acked' : has('unknown') ? 'unknown' : 'refused';
      const mayBeQueued = batch.attempts.filter(
        ({ status }) => status === null || status === 202 || status >= 500,
      ).length;
      for (const id of batch.ids) standings.set(id, { verdict, mayBeQueued, poison: this.#poison.has(id), batch });
    }
    return standings;
  }
}

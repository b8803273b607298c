import { waitOrAbort } from '@sluice/daemon/retry/wait-or-abort';
import { visible } from '@sluice/errors/visible';
import type { EventBatch } from './batch-events.ts';
import type { BatchSender } from './post-batch.ts';

/** A batch that is refused, or finds no server, is sent again for this long. */
const TRY_FOR_MS = 120_000;
const WAIT_WITHOUT_ADVICE_MS = 500;

export interface BurstOptions {
  batches: AsyncGenerator<EventBatch>;
  sender: BatchSender;
  connections: number;
  /** Called with the ids of each batch's accepted events as soon as they are acknowledged. */
  onAcked: (ids: string[]) => void;
  /** Ends the burst after the requests that are in flight. */
  signal: AbortSignal;
}

export interface BurstResult {
  /** Events that were sent, accepted or not. */
  sent: number;
  accepted: number;
  rejected: number;
  /** Why events were rejected: code and how many. */
  rejections: Record<string, number>;
  batches: number;
  /** How often each status was answered; `failed connections` counts requests that got no answer. */
  answers: Record<string, number>;
  /** Of each 202 or 422, from sending to the end of the answer. */
  latenciesMs: number[];
  /** performance.now() of the first request and of the last answer. */
  startedAt: number;
  endedAt: number;
}

/**
 * Sends all batches. Each connection sends its next one when the last is answered. After a 429, a 503 or a failed
 * connection it sends the batch again, after the time in Retry-After: event ids make that harmless. Any other refusal
 * (400, 401, 413 …) would repeat with every batch, so it ends the burst with the server's own message.
 */
export async function sendBurst({ batches, sender, connections, onAcked, signal }: BurstOptions): Promise<BurstResult> {
  const result: BurstResult = {
    sent: 0,
    accepted: 0,
    rejected: 0,
    rejections: {},
    batches: 0,
    answers: {},
    latenciesMs: [],
    startedAt: performance.now(),
    endedAt: 0,
  };
  const failed = new AbortController();
  const ended = AbortSignal.any([signal, failed.signal]);

  const sendOne = async (batch: EventBatch): Promise<void> => {
    const giveUpAt = performance.now() + TRY_FOR_MS;
    for (;;) {
      const sentAt = performance.now();
      const answer = await sender.post(batch).catch((error: Error) => error);
      if (!(answer instanceof Error) && (answer.status === 202 || answer.status === 422)) {
        result.latenciesMs.push(performance.now() - sentAt);
        count(result.answers, String(answer.status));
        settle(batch, answer.body.errors ?? []);
        return;
      }
      count(result.answers, answer instanceof Error ? 'failed connections' : String(answer.status));
      const reason = answer instanceof Error ? answer.message : (answer.body.error?.message ?? 'no reason given');
      if (!(answer instanceof Error) && answer.status < 500 && answer.status !== 429) {
        throw new Error(`ingest refuses the batch with ${answer.status}: ${visible(reason)}`);
      }
      if (performance.now() > giveUpAt) {
        throw new Error(`ingest did not accept a batch within ${TRY_FOR_MS / 1000} s: ${reason}`);
      }
      const retryAfterMs = answer instanceof Error ? undefined : answer.retryAfter && answer.retryAfter * 1000;
      await waitOrAbort(retryAfterMs ?? WAIT_WITHOUT_ADVICE_MS, ended);
      if (ended.aborted) return;
    }
  };

  const settle = (batch: EventBatch, errors: { index: number; code: string }[]): void => {
    const bad = new Set(errors.map(({ index }) => index));
    for (const { code } of errors) count(result.rejections, code);
    const ids = batch.ids.filter((_, index) => !bad.has(index));
    result.batches += 1;
    result.sent += batch.ids.length;
    result.accepted += ids.length;
    result.rejected += bad.size;
    onAcked(ids);
  };

  const connection = async (): Promise<void> => {
    while (!ended.aborted) {
      const next = await batches.next();
      if (next.done) return;
      await sendOne(next.value);
    }
  };
  try {
    await Promise.all(
      Array.from({ length: connections }, () =>
        connection().catch((error: unknown) => {
          failed.abort();
          throw error;
        }),
      ),
    );
  } finally {
    await batches.return(undefined);
  }
  result.endedAt = performance.now();
  return result;
}

function count(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}

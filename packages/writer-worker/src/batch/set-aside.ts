import type { Redis } from 'ioredis';
import { waitOrAbort } from '@sluice/daemon/retry/wait-or-abort';
import type { DecodedEntry } from '@sluice/store/write/decode-entry';
import type { Failure } from '@sluice/store/write/failure-policy';
import { forgetStalled, noteStalled, readSetAside } from '@sluice/stream/stalled-entries';

/** How often a stalled batch asks whether an operator has set an entry of it aside, in milliseconds. */
const ASK_EVERY_MS = 1_000;

/**
 * Waits until a stalled batch is to be tried again: after `delayMs`, or as soon as an operator sets an entry of it aside.
 * Redis being away changes nothing: the batch is tried again as it is.
 *
 * @param entries of the batch, some perhaps set aside already
 * @returns the entries, with what operators have decided
 */
export async function waitForOperator(
  redis: Redis,
  entries: readonly DecodedEntry[],
  { failure, consumer, since, delayMs, stop }: StalledBatch,
): Promise<readonly DecodedEntry[]> {
  const { code, message } = failure;
  const notes = entries.map(({ key, id }) => ({ stream: key, id, code, message, since, consumer }));
  await noteStalled(redis, notes).catch(() => {});
  for (const until = performance.now() + delayMs; !stop.aborted;) {
    const leftMs = until - performance.now();
    if (leftMs <= 0) break;
    await waitOrAbort(Math.min(ASK_EVERY_MS, leftMs), stop);
    const marked = await withSetAside(redis, entries, failure).catch(() => entries);
    if (marked !== entries) return marked;
  }
  return entries;
}

/** A batch that only an operator can get stored. */
export interface StalledBatch {
  readonly failure: Failure;
  /** Name of this writer. */
  readonly consumer: string;
  /** When the stall began, ISO 8601. */
  readonly since: string;
  readonly delayMs: number;
  readonly stop: AbortSignal;
}

/** Forgets the notes about a batch that is settled now. What Redis does not forget expires. */
export async function endStall(redis: Redis, entries: readonly DecodedEntry[]): Promise<void> {
  await forgetStalled(redis, entries).catch(() => {});
}

/** The same array when nothing new was set aside. */
async function withSetAside(
  redis: Redis,
  entries: readonly DecodedEntry[],
  failure: Failure,
): Promise<readonly DecodedEntry[]> {
  const decided = await readSetAside(redis, entries);
  const isNew = (entry: DecodedEntry): boolean =>
    entry.setAside === undefined && decided.has(`${entry.key} ${entry.id}`);
  if (!entries.some(isNew)) return entries;
  const sqlstate = /^[0-9A-Z]{5}$/.test(failure.code) ? failure.code : null;
  return entries.map((entry) => {
    if (!isNew(entry)) return entry;
    const { by, note } = decided.get(`${entry.key} ${entry.id}`)!;
    const detail = `set aside by ${by}; the writer was stalled by: ${failure.message}`;
    return { ...entry, setAside: { reason: 'set_aside', sqlstate, message: note, detail } };
  });
}

import { waitOrAbort } from '@sluice/daemon/retry/wait-or-abort';
import { batchEvents } from '@sluice/local-stack/batch-events';
import { generateEvents } from '@sluice/local-stack/generate-events';
import { createBatchSender } from '@sluice/local-stack/post-batch';
import type { EventText } from '@sluice/local-stack/read-events-file';

const BATCH = 500;

/** Events that arrive while something is measured. */
export interface SteadyWriter {
  /** @returns how many were accepted */
  stop(): Promise<number>;
}

/** Sends `rate` events a second through ingest, in batches of 500. A late batch does not delay the next ones. */
export function startSteadyWriter(ingestUrl: string, rate: number): SteadyWriter {
  const stopping = new AbortController();
  const sender = createBatchSender({ ingestUrl, connections: 4, apiKey: undefined });
  let accepted = 0;
  const running = (async () => {
    if (rate === 0) return;
    const startedAt = performance.now();
    const batches = batchEvents(endlessEvents(), BATCH);
    for (let sent = 0; !stopping.signal.aborted; sent += 1) {
      const wait = startedAt + (sent * BATCH * 1000) / rate - performance.now();
      if (wait > 0) await waitOrAbort(wait, stopping.signal);
      if (stopping.signal.aborted) break;
      const next = await batches.next();
      if (next.done) break;
      const answer = await sender.post(next.value);
      if (answer.status !== 202) throw new Error(`ingest answered ${answer.status} to the writer of the benchmark`);
      accepted += answer.body.accepted ?? 0;
    }
    await batches.return(undefined);
  })();
  // `stop` throws its error; until then the rejection must not end the process.
  running.catch(() => {});
  return {
    async stop() {
      stopping.abort();
      try {
        await running;
      } finally {
        sender.close();
      }
      return accepted;
    },
  };
}

/** Makes batch after batch, each with the times of its own moment. */
function* endlessEvents(): Generator<EventText> {
  for (;;) yield* generateEvents(BATCH);
}

import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { generateEvents } from '@sluice/local-stack/generate-events';
import { type EntryFields, encodeEntry } from '@sluice/stream/stream-entry';
import { createStreamProducer } from '@sluice/stream/stream-producer';

const BATCH = 500;
/** Entries of one round trip. */
const AT_ONCE = 20;
/** Never waits: the servers of the benchmark fsync before they answer. */
const NO_WAIT_MS = 0;

/** Type of the events that a benchmark makes the table refuse. */
export const REFUSED_TYPE = 'Refused';

/**
 * Makes entries as ingest makes them from batches of 500, ready for the stream.
 *
 * @param isBad by the number of an event, from 0: whether it is of REFUSED_TYPE
 */
export function makeEntries(events: number, isBad: (number: number) => boolean = () => false): EntryFields[] {
  return Array.from({ length: Math.ceil(events / BATCH) }, (_, index) => {
    const accepted = Math.min(BATCH, events - index * BATCH);
    const texts = [...generateEvents(accepted, index * BATCH)].map(({ text }, at) =>
      isBad(index * BATCH + at) ? text.replace(/"eventType":"\w+"/, `"eventType":"${REFUSED_TYPE}"`) : text,
    );
    const header = {
      source: 'governance-tracker',
      tenant: 'default',
      batchId: randomUUID(),
      firstIndex: 0,
      accepted,
      rejected: [],
      clientIp: '127.0.0.1',
      receivedAt: new Date().toISOString(),
      traceparent: null,
    };
    return encodeEntry(header, Buffer.from(`{"events":[${texts.join(',')}]}`));
  });
}

/** Puts entries on the stream much faster than writers read them, without the processor time of ingest. */
export async function fillStream(redis: Redis, namespace: string, entries: readonly EntryFields[]): Promise<void> {
  const producer = createStreamProducer({
    redis,
    waiting: redis,
    namespace,
    shards: 1,
    plan: () => ({ level: 'fsync', waitAof: null, warning: null }),
    waitTimeoutMs: NO_WAIT_MS,
  });
  for (let from = 0; from < entries.length; from += AT_ONCE) await producer.add(entries.slice(from, from + AT_ONCE));
}

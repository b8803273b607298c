import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { Client } from 'pg';
import { streamKey } from '@sluice/stream/stream-keys';
import { fillStream, makeEntries } from './fill-stream.ts';
import type { PeerSurroundings } from './peers.ts';
import { startWriter, type WriterOptions } from './start-writer.ts';

const CHECK_EVERY_MS = 10;
/** A tenth of a second is short enough to see a peak of the heap, and costs nothing. */
const SAMPLE_EVERY_MS = 100;
const STALLED_AFTER_MS = 60_000;

/** The settings of a drain. */
export interface DrainOptions extends WriterOptions {
  readonly events: number;
  readonly writers: number;
  /** By the number of an event, from 0: whether the table refuses it. Left out, it refuses none. */
  readonly isBad?: (number: number) => boolean;
}

export interface Drain {
  /** From the first entry on the stream to the COMMIT of the last; dead letters count too. */
  readonly eventsPerSecond: number;
  /** Resident memory of the first writer while it drained, in MiB, in order. Empty where the system doesn't report it. */
  readonly memory: readonly number[];
  /** Its peak in MiB, counted by the system; 0 where the system doesn't report it. */
  readonly peak: number;
}

/**
 * Starts writers on an empty stream, adds a whole backlog to it, and waits until it is stored.
 *
 * @throws when the number of stored events differs from that of the backlog
 */
export async function measureDrain(options: DrainOptions, around: PeerSurroundings): Promise<Drain> {
  const entries = makeEntries(options.events, options.isBad);
  await using running = new AsyncDisposableStack();
  const redis = new Redis(around.redisUrl);
  running.defer(() => redis.disconnect());
  const db = new Client({ connectionString: options.databaseUrl });
  await db.connect();
  running.defer(() => db.end());
  const count = async (): Promise<number> =>
    Number((await db.query<{ stored: string }>('SELECT count(*) AS stored FROM events')).rows[0]?.stored);
  const before = await count();
  await db.query('CHECKPOINT');
  const writers = await Promise.all(
    Array.from({ length: options.writers }, async (_, at) => {
      const writer = await startWriter(options, around, at + 1);
      running.defer(() => writer.stop());
      return writer;
    }),
  );

  const memory: number[] = [];
  const sample = async (): Promise<void> => {
    const mib = await memoryOf(writers[0]!.pid, 'VmRSS');
    if (mib !== null) memory.push(mib);
  };
  await sample();
  const sampling = setInterval(() => void sample(), SAMPLE_EVERY_MS);
  running.defer(() => clearInterval(sampling));
  const startedAt = performance.now();
  const filling = fillStream(redis, options.namespace, entries);
  await Promise.all([filling, untilEmpty(redis, streamKey(options.namespace, 0), filling, around.signal)]);
  const elapsedMs = performance.now() - startedAt;
  await sample();
  const peak = (await memoryOf(writers[0]!.pid, 'VmHWM')) ?? 0;

  const stored = (await count()) - before;
  const good =
    options.events -
    Array.from({ length: options.events }, (_, number) => options.isBad?.(number)).filter(Boolean).length;
  if (stored !== good) throw new Error(`${stored} of ${good} events were stored`);
  return { eventsPerSecond: (options.events * 1000) / elapsedMs, memory, peak };
}

/** Waits until every entry has left the stream: entries leave after their COMMIT. */
async function untilEmpty(redis: Redis, key: string, filling: Promise<void>, signal: AbortSignal): Promise<void> {
  await filling;
  let least = Number.POSITIVE_INFINITY;
  let movedAt = performance.now();
  for (;;) {
    signal.throwIfAborted();
    const waiting = await redis.xlen(key);
    if (waiting === 0) return;
    if (waiting < least) movedAt = performance.now();
    least = Math.min(least, waiting);
    if (performance.now() - movedAt > STALLED_AFTER_MS)
      throw new Error(`writers do not store the last ${waiting} entries`);
    await delay(CHECK_EVERY_MS);
  }
}

/** Null where there is no /proc, or the process is gone. */
async function memoryOf(pid: number, what: 'VmRSS' | 'VmHWM'): Promise<number | null> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const kib = new RegExp(`^${what}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1];
  return kib === undefined ? null : Number(kib) / 1024;
}

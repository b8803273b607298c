import { expect } from 'vitest';
import { acceptBatch } from '@sluice/accept/accept-batch';
import { readRequest } from '@sluice/accept/read-request';
import type { Door, ReadBatch } from '@sluice/events/adapters/door';
import type { DoorRequest } from '@sluice/events/adapters/door-request';
import type { EntryFields } from '@sluice/stream/stream-entry';

/*
 * Sends a request through a real door and the real `acceptBatch`, without a server. The entries are returned instead of
 * being put on a stream.
 */

const RECEIVED_AT = new Date('2026-11-21T09:30:00.000Z');
/** The limits of a small ingest. */
export const LIMITS = { receivedAt: RECEIVED_AT.getTime(), maxEvents: 1_000, maxEventBytes: 64 * 1024 };

/** What the entries say about the client. */
export const CLIENT = {
  requestId: 'r',
  tenant: 'acme',
  idempotencyKey: null,
  clientIp: '203.0.113.9',
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  receivedAt: RECEIVED_AT,
} as const;

/** Metrics are not under test. */
const IGNORED = { accepted: () => {}, rejected: () => {}, refused: () => {}, body: () => {} };

/** A request after ingest. */
export interface Accepted {
  readonly batch: ReadBatch;
  readonly result: Awaited<ReturnType<typeof acceptBatch>>;
  readonly entries: readonly EntryFields[];
}

/** Runs a request as ingest does, and returns the entries that it would put on the stream. */
export async function accept(door: Door, request: DoorRequest, limits = LIMITS): Promise<Accepted> {
  const batch = readRequest(door, request, limits);
  let entries: readonly EntryFields[] = [];
  const queue = {
    add: (added: readonly EntryFields[]) => {
      entries = added;
      return Promise.resolve('memory' as const);
    },
    settings: null,
    plan: { level: 'memory', waitAof: null, warning: null },
    settled: () => Promise.resolve(),
    stop: () => Promise.resolve(),
  } as const;
  const result = await acceptBatch(
    { ...batch, ...CLIENT, maxEventBytes: limits.maxEventBytes },
    { queue, metrics: IGNORED, idempotencyKeys: { claim: () => Promise.resolve() } },
  );
  return { batch, result, entries };
}

/** Fails unless the request is refused with this code. */
export async function expectCode(work: Promise<unknown>, code: string): Promise<void> {
  await expect(work).rejects.toMatchObject({ code });
}

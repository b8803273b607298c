import { expect, it } from 'vitest';
import { encodeEntry } from '@sluice/stream/stream-entry';
import { decodeEntry } from '../../../src/write/decode-entry.ts';

/** An entry that another program wrote, of one event with this many values. */
function entryOf(values: number) {
  const header = {
    source: 'governance-tracker',
    tenant: 'acme',
    batchId: '0b3f6a52-6d0e-4c57-9a38-5f0d7a1c9e11',
    firstIndex: 0,
    accepted: 1,
    rejected: [],
    clientIp: null,
    receivedAt: '2026-01-31T09:30:00.000Z',
    traceparent: null,
  };
  const event = `{"eventType":"a","timestamp":"2026-01-31T09:30:00Z","v":[${Array(values).fill(0).join(',')}]}`;
  const fields = encodeEntry(header, Buffer.from(`{"events":[${event}]}`));
  return { key: 'stream', id: '1-0', fields: fields.map((field) => Buffer.from(field as string)) };
}

it('an entry of more values than any body of ingest has is not parsed', () => {
  const { unreadable, events } = decodeEntry(entryOf(1_000_000));
  expect(unreadable).toMatchObject({ code: 'malformed_body', message: 'the body has more than 1000000 values' });
  expect(events).toEqual([]);
});

it('an event of more values than ingest accepts today is stored: an earlier ingest acknowledged it', () => {
  const { unreadable, events } = decodeEntry(entryOf(60_000));
  expect(unreadable).toBeNull();
  expect(events).toHaveLength(1);
});

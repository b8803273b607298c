import { expect, it } from 'vitest';
import { readLetter } from '@sluice/stream/replay-entry';
import { encodeEntry } from '@sluice/stream/stream-entry';
import { deadEvents } from '../../../src/write/dead-letter.ts';
import { decodeEntry } from '../../../src/write/decode-entry.ts';

const CAUSE = { reason: 'invalid_value', sqlstate: '22P02', message: 'm', detail: null } as const;

/** The header of the entry with which a replay sends an event of such an entry again. */
function replayed(envelope: Record<string, unknown> | undefined) {
  const header = {
    source: 'web-collection',
    tenant: 't',
    batchId: '0b3f6a52-6d0e-4c57-9a38-5f0d7a1c9e11',
    firstIndex: 3,
    accepted: 1,
    rejected: [],
    clientIp: null,
    receivedAt: '2026-01-31T09:30:00.000Z',
    traceparent: null,
    envelope,
  };
  const fields = encodeEntry(header, Buffer.from('{"visitorId":"v"}')).map((field) => Buffer.from(field as string));
  const entry = decodeEntry({ key: 'stream', id: '1-0', fields });
  const [letter] = deadEvents(entry, [{ event: entry.events[0]!, cause: CAUSE }]);
  return readLetter({ id: '7', tenant: 't', source: letter!.source, event: letter!.body, origin: letter!.origin });
}

it('a replay has the envelope of the first delivery', () => {
  const envelope = { sentAt: '2026-01-31T09:29:00.000Z', resource: { n: 1 } };
  expect(replayed(envelope)?.header).toMatchObject({ envelope, firstIndex: 3, replayOf: '7' });
  expect(replayed(undefined)?.header.envelope).toBeUndefined();
});

import { describe, expect, it } from 'vitest';
import {
  batchDigest,
  batchIdFromKey,
  eventIdFromBatch,
  eventIdFromName,
  isUuid,
  type KeyedRequest,
  keyedRequestId,
  resolveEventId,
  uuidV5,
} from '../../src/event-id.ts';

/** A request with an `Idempotency-Key`. */
const keyed = (changes: Partial<KeyedRequest> = {}): KeyedRequest => ({
  tenant: 'acme',
  route: 'POST /api/events',
  key: 'batch-7',
  digest: batchDigest(Buffer.from('{}')),
  ...changes,
});

const DNS = '6ba7b810-9dad-11d1-80b4-00c04fd430c8';

describe('uuidV5', () => {
  it('gives the example of RFC 9562, appendix A.4', () => {
    expect(uuidV5(DNS, 'www.example.com')).toBe('2ed6657d-e927-568b-95e1-2665a8aea6a2');
  });

  it('reads names as UTF-8, and a namespace in upper or lower case', () => {
    expect(uuidV5(DNS, 'größe')).toBe('2ea9457d-e513-5521-a9bf-e7456b57cddd');
    expect(uuidV5(DNS.toUpperCase(), 'größe')).toBe(uuidV5(DNS, 'größe'));
  });
});

describe('isUuid', () => {
  it.each([DNS, DNS.toUpperCase(), '00000000-0000-0000-0000-000000000000'])('%s is one', (text) => {
    expect(isUuid(text)).toBe(true);
  });
  it.each([
    '',
    DNS.slice(1),
    `${DNS}0`,
    DNS.replaceAll('-', ''),
    `{${DNS}}`,
    `${DNS.slice(0, -1)}g`,
    ` ${DNS.slice(1)}`,
    `${DNS}\n`,
  ])('%j is none', (text) => {
    expect(isUuid(text)).toBe(false);
  });
});

describe('derived ids', () => {
  // Stored ids depend on these forever: a change here makes resends count as new events.
  it('never change', () => {
    expect(eventIdFromName('acme', 'order-7')).toBe('e9dca39e-5634-5789-b97b-493123ce2f2b');
    expect(batchIdFromKey(keyed())).toBe('185515f6-0d76-5fe1-922c-c61b4039d628');
    expect(eventIdFromBatch(DNS, 0)).toBe('6af613b6-569c-5c22-9c37-2ed93f31d3af');
  });

  it('differ by tenant, by name, by place, and by what they are made of', () => {
    const ids = [
      eventIdFromName('a', 'x'),
      eventIdFromName('b', 'x'),
      eventIdFromName('a', 'y'),
      batchIdFromKey(keyed()),
      batchIdFromKey(keyed({ tenant: 'b' })),
      batchIdFromKey(keyed({ key: 'batch-8' })),
      batchIdFromKey(keyed({ route: 'POST /collect' })),
      batchIdFromKey(keyed({ digest: batchDigest(Buffer.from('{}'), {}) })),
      batchIdFromKey(keyed({ digest: batchDigest(Buffer.from('{}'), { sentAt: '1' }) })),
      batchIdFromKey(keyed({ digest: batchDigest(Buffer.from('{"a":1}')) })),
      keyedRequestId(keyed()),
      // No two pairs run together into one name.
      eventIdFromName('a:x', ''),
      eventIdFromName('a', ':x'),
      eventIdFromBatch(DNS, 1),
      eventIdFromBatch(DNS, 11),
    ];
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });
});

describe('resolveEventId', () => {
  it('stores a UUID in lower case', () => {
    expect(resolveEventId('t', DNS.toUpperCase(), DNS, 0)).toBe(DNS);
  });
  it('derives from any other text', () => {
    expect(resolveEventId('t', 'order-7', DNS, 0)).toBe(eventIdFromName('t', 'order-7'));
  });
  it.each([undefined, null, '', 7, {}, []])('derives from the place in the batch for %j', (given) => {
    expect(resolveEventId('t', given, DNS, 3)).toBe(eventIdFromBatch(DNS, 3));
  });
});

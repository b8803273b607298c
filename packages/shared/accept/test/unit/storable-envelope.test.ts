import { expect, it } from 'vitest';
import { MAX_NESTING } from '@sluice/events/canonical-event';
import { MAX_ENVELOPE_BYTES } from '@sluice/stream/stream-entry';
import { storableEnvelope } from '../../src/storable-envelope.ts';

const ofBytes = (bytes: number) => ({ a: 'x'.repeat(bytes - '{"a":""}'.length) });
const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)]);

it('there may be none', () => {
  expect(storableEnvelope(undefined)).toBeUndefined();
});

it('an envelope has at most MAX_ENVELOPE_BYTES', () => {
  expect(storableEnvelope(ofBytes(MAX_ENVELOPE_BYTES))).toEqual(ofBytes(MAX_ENVELOPE_BYTES));
  expect(() => storableEnvelope(ofBytes(MAX_ENVELOPE_BYTES + 1))).toThrow(
    expect.objectContaining({
      code: 'invalid_body',
      message: expect.stringMatching(/8193 bytes beside its events; the limit is 8192/),
    }),
  );
});

it('an envelope is nested as deep as an event may be', () => {
  expect(storableEnvelope({ a: nested(MAX_NESTING - 1) })).toBeDefined();
  expect(() => storableEnvelope({ a: nested(MAX_NESTING) })).toThrow(
    expect.objectContaining({ code: 'nesting_too_deep' }),
  );
});

it('an envelope has no property __proto__', () => {
  const envelope = JSON.parse('{"a":{"__proto__":1}}') as Record<string, unknown>;
  expect(() => storableEnvelope(envelope)).toThrow(expect.objectContaining({ code: 'forbidden_property' }));
});

it('what Postgres cannot store of its texts is replaced', () => {
  expect(storableEnvelope({ 'a\0': ['\ud800'] })).toEqual({ 'a\uFFFD': ['\uFFFD'] });
});

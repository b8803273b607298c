import { zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import {
  decodeEntry,
  encodeEntry,
  EntryError,
  type EntryFields,
  type EntryHeader,
  MAX_ENVELOPE_BYTES,
} from '../../src/stream-entry.ts';

const HEADER: EntryHeader = {
  source: 'governance-tracker',
  tenant: 'acme',
  batchId: '0b3f6a52-6d0e-4c57-9a38-5f0d7a1c9e11',
  firstIndex: 500,
  accepted: 2,
  rejected: [1],
  clientIp: '203.0.113.9',
  receivedAt: '2026-01-31T09:30:00.000Z',
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  sentBy: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
};

/** The fields as Redis returns them. */
const stored = (fields: EntryFields): Buffer[] => fields.map((field) => Buffer.from(field as string));

/** An entry whose envelope has `bytes` bytes. */
const withEnvelope = (bytes: number): Buffer[] =>
  stored(encodeEntry({ ...HEADER, envelope: { a: 'x'.repeat(bytes - '{"a":""}'.length) } }, Buffer.from('{}')));

describe('an entry', () => {
  it.each([
    ['short', '{"events":[{"a":"é😀"}]}', 'b'],
    ['long', `{"events":["${'€'.repeat(5_000)}"]}`, 'z'],
    ['empty', '', 'b'],
  ])('with a %s body is read as it was written', (_length, body, field) => {
    const fields = encodeEntry(HEADER, Buffer.from(body));
    expect(fields[4]).toBe(field);
    expect(decodeEntry(stored(fields))).toEqual({ header: HEADER, body });
  });

  it('with a minimal header is read as it was written', () => {
    const header = { ...HEADER, firstIndex: 0, rejected: [], clientIp: null, traceparent: null, sentBy: undefined };
    const fields = encodeEntry(header, Buffer.from('{}'));
    expect(decodeEntry(stored(fields)).header).toEqual(header);
    expect(Object.keys(JSON.parse(fields[3] as string) as object)).toEqual(['s', 't', 'i', 'n', 'r']);
  });

  it('with an envelope has a version of its own, and is read as it was written', () => {
    const header = {
      ...HEADER,
      envelope: { sentAt: '2026-01-31T09:29:59.000Z', resource: { 'service.name': 'é', n: [1] } },
    };
    const fields = encodeEntry(header, Buffer.from('{}'));
    expect(fields.slice(0, 2)).toEqual(['v', '2']);
    expect(decodeEntry(stored(fields)).header).toEqual(header);
    // A writer older than the envelope reads version 1, which all other entries have.
    expect(encodeEntry(HEADER, Buffer.from('{}')).slice(0, 2)).toEqual(['v', '1']);
  });

  it('has an envelope of up to MAX_ENVELOPE_BYTES', () => {
    expect(decodeEntry(withEnvelope(MAX_ENVELOPE_BYTES)).header.envelope).toBeDefined();
    expect(() => decodeEntry(withEnvelope(MAX_ENVELOPE_BYTES + 1))).toThrow('the envelope is not one');
  });

  it('of 1,000 similar events has at most a fifth of their bytes', () => {
    const body = Buffer.from(
      JSON.stringify({ events: Array.from({ length: 500 }, (_, n) => ({ type: 'CellChange', n })) }),
    );
    expect((encodeEntry(HEADER, body)[5] as Buffer).length).toBeLessThan(body.length / 5);
  });

  it('may have fields that this version does not know', () => {
    const fields = [...stored(encodeEntry(HEADER, Buffer.from('{}'))), Buffer.from('later'), Buffer.from('x')];
    expect(decodeEntry(fields).header).toEqual(HEADER);
  });
});

describe('what is not an entry', () => {
  const header = JSON.stringify({ s: 'x', t: 'x', i: 'x', n: 1, r: 'x' });
  const zstd = zstdCompressSync(Buffer.alloc(2_000));
  const bomb = zstdCompressSync(Buffer.alloc(65 * 1024 * 1024));

  it.each<[string, EntryFields, EntryError['code']]>([
    ['nothing', [], 'unknown_version'],
    ['a newer version', ['v', '3', 'h', header, 'b', '{}'], 'unknown_version'],
    ['no version', ['h', header, 'b', '{}'], 'unknown_version'],
    ['no header', ['v', '1', 'b', '{}'], 'malformed_header'],
    ['a header that is not JSON', ['v', '1', 'h', '{', 'b', '{}'], 'malformed_header'],
    ['a header that is null', ['v', '1', 'h', 'null', 'b', '{}'], 'malformed_header'],
    ['a header that is a list', ['v', '1', 'h', '[]', 'b', '{}'], 'malformed_header'],
    ...['s', 't', 'i', 'n', 'r'].map((name): [string, EntryFields, EntryError['code']] => [
      `a header without ${name}`,
      ['v', '1', 'h', JSON.stringify({ ...(JSON.parse(header) as object), [name]: undefined }), 'b', '{}'],
      'malformed_header',
    ]),
    ['a number as tenant', ['v', '1', 'h', header.replace('"t":"x"', '"t":7'), 'b', '{}'], 'malformed_header'],
    ['half an index', ['v', '1', 'h', header.replace('"n":1', '"n":1,"f":0.5'), 'b', '{}'], 'malformed_header'],
    ...['a', 'p', 'l', 'd'].map((name): [string, EntryFields, EntryError['code']] => [
      `a number as ${name}`,
      ['v', '1', 'h', JSON.stringify({ ...(JSON.parse(header) as object), [name]: 7 }), 'b', '{}'],
      'malformed_header',
    ]),
    ...['7', 'null', '[]', '"x"'].map((envelope): [string, EntryFields, EntryError['code']] => [
      `${envelope} as envelope`,
      ['v', '2', 'h', header.replace('}', `,"e":${envelope}}`), 'b', '{}'],
      'malformed_header',
    ]),
    ['fewer events than none', ['v', '1', 'h', header.replace('"n":1', '"n":-1'), 'b', '{}'], 'malformed_header'],
    ['endless events', ['v', '1', 'h', header.replace('"n":1', '"n":1e300'), 'b', '{}'], 'malformed_header'],
    ['a word as dead letter', ['v', '1', 'h', header.replace('}', ',"d":"x"}'), 'b', '{}'], 'malformed_header'],
    ['no body', ['v', '1', 'h', header], 'malformed_body'],
    ['a body that is not zstd', ['v', '1', 'h', header, 'z', 'garbage'], 'malformed_body'],
    ['a body cut short', ['v', '1', 'h', header, 'z', zstd.subarray(0, -3)], 'malformed_body'],
    ['a body of more than 64 MiB', ['v', '1', 'h', header, 'z', bomb], 'malformed_body'],
  ])('%s is reported', (_what, fields, code) => {
    let thrown: unknown;
    try {
      decodeEntry(stored(fields));
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(EntryError);
    expect(thrown).toMatchObject({ code });
  });
});

import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { hashId, IdFilter } from '../../../src/write/id-filter.ts';

const IDS = 100_000;

/** Ids of each kind that clients send: 16 bytes for each number. */
const KINDS: Record<string, (n: number) => Buffer> = {
  'random (version 4)': () => randomBytes(16),
  'by time (version 7)': (n) => {
    const id = Buffer.alloc(16);
    id.writeUIntBE(1_800_000_000_000 + Math.floor(n / 50), 0, 6);
    id.writeUInt16BE(0x7000 | (n % 4_096), 6);
    id.writeUInt32BE(0x8000_0000 + (n % 7), 8);
    return id;
  },
  'by time and node (version 1)': (n) => {
    const id = Buffer.from('000000000000110080a10002b3c4d5e6'.padStart(32, '0'), 'hex');
    id.writeUInt32BE(n, 0);
    return id;
  },
  'derived (version 5)': (n) => createHash('sha1').update(String(n)).digest().subarray(0, 16),
  counted: (n) => {
    const id = Buffer.alloc(16);
    id.writeUInt32BE(n, 12);
    return id;
  },
};

describe.each(Object.keys(KINDS))('ids %s', (kind) => {
  const make = KINDS[kind]!;

  it('that were added are known, and of a thousand others about one', () => {
    const filter = new IdFilter(IDS);
    const added = Array.from({ length: IDS }, (_, n) => make(n));
    for (const id of added) filter.add(hashId(id, 0));
    expect(added.filter((id) => !filter.has(hashId(id, 0)))).toHaveLength(0);
    const others = Array.from({ length: IDS }, (_, n) => make(IDS + n));
    const mistaken = others.filter((id) => filter.has(hashId(id, 0))).length;
    // One in a thousand is expected; the filter is up to twice as large.
    expect(mistaken).toBeLessThan(IDS / 500);
  });
});

it('takes two to four bytes an id', () => {
  for (const ids of [500_000, 1_000_000, 5_000_000]) {
    expect(new IdFilter(ids).bytes / ids).toBeGreaterThanOrEqual(2);
    expect(new IdFilter(ids).bytes / ids).toBeLessThan(4.2);
  }
});

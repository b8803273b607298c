import { expect, it } from 'vitest';
import { encodeInet } from '../../../src/write/encode-inet.ts';

const bytes = (text: string) => encodeInet(text)?.toString('hex') ?? null;

it.each([
  ['203.0.113.7', '02200004cb007107'],
  ['0.0.0.0', '0220000400000000'],
  ['::', `03800010${'0'.repeat(32)}`],
  ['::1', `03800010${'0'.repeat(31)}1`],
  ['2001:db8::8a2e:370:7334', '0380001020010db80000000000008a2e03707334'],
  ['2001:DB8:0:0:0:0:0:1', '0380001020010db8000000000000000000000001'],
  ['fe80::', '03800010fe800000000000000000000000000000'],
  ['::ffff:203.0.113.7', '0380001000000000000000000000ffffcb007107'],
  ['1:2:3:4:5:6:7::', '0380001000010002000300040005000600070000'],
])('%s is one address', (text, expected) => {
  expect(bytes(text)).toBe(expected);
});

it.each(['', 'not an address', '10.0.0.0/8', 'fe80::1%eth0', '1.2.3', '::1::', '203.0.113.7\u0000'])(
  '%j is left to Postgres',
  (text) => {
    expect(bytes(text)).toBeNull();
  },
);

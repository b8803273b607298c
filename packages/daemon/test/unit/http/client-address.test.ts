import { expect, it } from 'vitest';
import { clientAddress } from '../../../src/http/client-address.ts';

it.each([
  ['203.0.113.9', '203.0.113.9'],
  ['203.0.113.9:80', '203.0.113.9'],
  [' 203.0.113.9 ', '203.0.113.9'],
  ['::1', '::1'],
  ['[::1]', '::1'],
  ['[::1]:80', '::1'],
  ['fe80::1%eth0', 'fe80::1'],
  ['::ffff:203.0.113.9', '203.0.113.9'],
  ['::FFFF:203.0.113.9', '203.0.113.9'],
  ['', null],
  ['unknown', null],
  ['256.1.1.1', null],
  ['1.2.3', null],
  ['1.2.3.4/8', null],
  ['::1::', null],
  ['[::1', null],
  ['_hidden', null],
])('%j is %j', (forwarded, address) => {
  expect(clientAddress(forwarded)).toBe(address);
});

it.each([
  ['unknown', '10.0.0.7', '10.0.0.7'],
  ['203.0.113.9:80', '10.0.0.7', '203.0.113.9'],
  ['unknown', '::ffff:10.0.0.7', '10.0.0.7'],
  ['', 'fe80::7%eth0', 'fe80::7'],
  ['unknown', undefined, null],
])('%j from the peer %s is %s', (forwarded, peer, address) => {
  expect(clientAddress(forwarded, peer)).toBe(address);
});

import { describe, expect, it } from 'vitest';
import { isPublicAddress, publicLookup, refusePrivateHost } from '../../src/public-address.ts';

describe('isPublicAddress', () => {
  it.each([
    '8.8.8.8',
    '93.184.216.34',
    '172.32.0.1',
    '168.63.129.15',
    '168.63.129.17',
    '100.128.0.1',
    '2606:4700::1111',
    '2a00:1450:4001::1',
    '2001:4860::8888',
  ])('%s is', (address) => expect(isPublicAddress(address)).toBe(true));

  it.each([
    ['loopback', '127.0.0.1'],
    ['loopback', '127.255.255.254'],
    ['loopback', '::1'],
    ['unspecified', '0.0.0.0'],
    ['unspecified', '::'],
    ['private', '10.0.0.1'],
    ['private', '172.16.0.1'],
    ['private', '172.31.255.255'],
    ['private', '192.168.1.1'],
    ['metadata service', '169.254.169.254'],
    ['WireServer of Azure', '168.63.129.16'],
    ['metadata service of Oracle', '192.0.0.192'],
    ['metadata service of Alibaba', '100.100.100.200'],
    ['link-local', 'fe80::1'],
    ['link-local with a zone', 'fe80::1%eth0'],
    ['a zone on a public address', '2606:4700::1111%eth0'],
    ['ULA', 'fd00::1'],
    ['ULA, metadata service', 'fd00:ec2::254'],
    ['carrier-grade NAT', '100.64.0.1'],
    ['multicast', '224.0.0.1'],
    ['multicast', 'ff02::1'],
    ['broadcast', '255.255.255.255'],
    ['documentation', '203.0.113.7'],
    ['documentation', '2001:db8::1'],
    ['IPv4-mapped', '::ffff:127.0.0.1'],
    ['IPv4-mapped', '::ffff:7f00:1'],
    ['IPv4-mapped, public', '::ffff:8.8.8.8'],
    ['IPv4-compatible', '::127.0.0.1'],
    ['NAT64', '64:ff9b::7f00:1'],
    ['6to4', '2002:7f00:1::'],
    ['Teredo', '2001:0:7f00:1::1'],
    ['no address', 'example.com'],
    ['no address', ''],
    ['another spelling', '0x7f.1'],
  ])('%s: %s is not', (_kind, address) => expect(isPublicAddress(address)).toBe(false));
});

describe('refusePrivateHost', () => {
  it.each([
    'http://127.1/',
    'http://2130706433/',
    'http://0x7f000001/',
    'http://0177.0.0.1/',
    'http://[::1]/',
    'http://[::ffff:10.0.0.1]/',
    'http://169.254.169.254/',
  ])('refuses %s', (url) => expect(() => refusePrivateHost(new URL(url).hostname)).toThrow(/public internet/));

  it.each(['https://example.com/', 'http://8.8.8.8/', 'http://[2606:4700::1111]/'])('accepts %s', (url) =>
    expect(() => refusePrivateHost(new URL(url).hostname)).not.toThrow(),
  );
});

describe('publicLookup', () => {
  type Answer = { address: string; family: number }[];
  /** Looks up, with a resolver that gives these answers one after the other. */
  const lookingUp = (...answers: Answer[]) => {
    const resolve = (_name: string, _options: object, callback: (error: null, addresses: Answer) => void) =>
      callback(null, answers.shift() ?? []);
    const lookup = publicLookup(resolve as unknown as Parameters<typeof publicLookup>[0]);
    return (all: boolean) =>
      new Promise((done, fail) => {
        lookup('evil.example', { all }, (error, address, family) =>
          error === null ? done(all ? address : { address, family }) : fail(error),
        );
      });
  };
  const PUBLIC = { address: '93.184.216.34', family: 4 };
  const PRIVATE = { address: '127.0.0.1', family: 4 };

  it('returns public addresses in the form that was asked for', async () => {
    const look = lookingUp([PUBLIC], [PUBLIC]);
    expect(await look(true)).toEqual([PUBLIC]);
    expect(await look(false)).toEqual(PUBLIC);
  });

  it('fails when one address of several is private: any of them may be connected to', async () => {
    await expect(lookingUp([PUBLIC, PRIVATE])(true)).rejects.toMatchObject({ code: 'EPRIVATE' });
    await expect(lookingUp([PRIVATE])(false)).rejects.toThrow(/evil\.example is not an address of the public internet/);
    await expect(lookingUp([])(true)).rejects.toMatchObject({ code: 'EPRIVATE' });
  });

  it('checks each lookup, so a name that turns private later (DNS rebinding) is refused then', async () => {
    const look = lookingUp([PUBLIC], [PRIVATE]);
    expect(await look(true)).toEqual([PUBLIC]);
    await expect(look(true)).rejects.toMatchObject({ code: 'EPRIVATE' });
  });
});

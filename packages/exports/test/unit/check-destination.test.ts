import { describe, expect, it } from 'vitest';
import { findDestinationFault, isSamePlace } from '../../src/check-destination.ts';
import type { DestinationSettings } from '../../src/destination.ts';

const s3 = (more: object = {}): DestinationSettings => ({ kind: 's3', bucket: 'acme-events', prefix: 'raw', ...more });
const faultOf = (settings: DestinationSettings) => findDestinationFault(settings, { allowPrivate: false });

describe('findDestinationFault', () => {
  it.each([
    s3(),
    s3({ prefix: '' }),
    s3({ prefix: 'a/b=c/ä' }),
    s3({ endpoint: 'https://s3.example.com:9000', path_style: true, region: 'eu-central-1' }),
    { kind: 'local', prefix: '' } as const,
    { kind: 'local', prefix: 'acme/raw' } as const,
  ])('finds none in %j', (settings) => expect(faultOf(settings)).toBeNull());

  it.each([
    '../etc',
    'a/../../b',
    '..',
    './a',
    'a/./b',
    '/etc',
    '//host/share',
    'a//b',
    'a/',
    'a\\..\\b',
    'a\u0000b',
    'a\nb',
    'a\u007fb',
    'a\u0085b',
    '\ud800',
    'x'.repeat(513),
  ])('finds the prefix %j, in both kinds', (prefix) => {
    expect(faultOf(s3({ prefix }))?.field).toBe('prefix');
    expect(faultOf({ kind: 'local', prefix })?.field).toBe('prefix');
  });

  it.each(['', 'ab', 'A-bucket', 'a_b', '-abc', 'abc-', 'a..b', '192.168.1.1', 'a/b', 'x'.repeat(64), 'a b'])(
    'finds the bucket %j',
    (bucket) => expect(faultOf(s3({ bucket }))?.field).toBe('bucket'),
  );

  it.each([
    ['no url', /must be a URL/],
    ['ftp://s3.example.com', /https:\/\/ or http:\/\//],
    ['file:///etc/passwd', /https:\/\/ or http:\/\//],
    ['https://user:pass@s3.example.com', /no user name/],
    ['https://s3.example.com/path', /nothing after/],
    ['https://s3.example.com?x=1', /nothing after/],
    ['http://127.0.0.1:9000', /public internet/],
    ['http://[::1]:9000', /public internet/],
    ['http://169.254.169.254', /public internet/],
    ['http://localhost:9000', /public internet/],
    ['http://minio.localhost', /public internet/],
  ])('finds the endpoint %s', (endpoint, fault) => {
    expect(faultOf(s3({ endpoint }))).toMatchObject({
      field: 'endpoint',
      fault: expect.stringMatching(fault) as string,
    });
  });

  it('accepts private endpoints where they are allowed', () => {
    expect(findDestinationFault(s3({ endpoint: 'http://127.0.0.1:9000' }), { allowPrivate: true })).toBeNull();
  });

  it('finds the region', () => expect(faultOf(s3({ region: 'eu-central-1.evil.example/' }))?.field).toBe('region'));
});

it('the same place is the same bucket on the same server, whatever the prefix', () => {
  const at = (endpoint: string) => s3({ endpoint });
  expect(isSamePlace(s3(), s3({ prefix: 'other', region: 'eu-west-1' }))).toBe(true);
  expect(isSamePlace(at('https://s3.example.com'), at('https://S3.example.com:443/'))).toBe(true);
  expect(isSamePlace(s3(), s3({ bucket: 'other' }))).toBe(false);
  expect(isSamePlace(s3(), at('https://s3.example.com'))).toBe(false);
  expect(isSamePlace(at('https://s3.example.com'), at('https://evil.example'))).toBe(false);
  expect(isSamePlace(at('https://s3.example.com'), at('http://s3.example.com'))).toBe(false);
  expect(isSamePlace(s3(), { kind: 'local', prefix: '' })).toBe(false);
});

import { expect, it } from 'vitest';
import { s3Problem } from '../../src/s3-problems.ts';

const named = (name: string, status?: number): Error =>
  Object.assign(new Error(`said ${name}`), {
    name,
    ...(status === undefined ? {} : { $metadata: { httpStatusCode: status } }),
  });
const coded = (code: string): Error => Object.assign(new Error(`connect ${code}`), { code });

it.each([
  [named('InvalidAccessKeyId', 403), 'bad_credentials', true],
  [named('SignatureDoesNotMatch', 403), 'bad_credentials', true],
  [named('CredentialsProviderError'), 'bad_credentials', true],
  [named('AccessDenied', 403), 'access_denied', true],
  [named('UnknownError', 403), 'access_denied', true],
  [named('NoSuchBucket', 404), 'no_bucket', true],
  [named('NoSuchKey', 404), 'not_there', true],
  [named('QuotaExceeded', 403), 'quota_exceeded', true],
  [named('XMinioStorageFull', 507), 'quota_exceeded', true],
  [named('PermanentRedirect', 301), 'bad_destination', true],
  [coded('ENOTFOUND'), 'bad_destination', true],
  [coded('EPRIVATE'), 'bad_destination', true],
  [coded('ECONNREFUSED'), 'unreachable', false],
  [coded('ECONNRESET'), 'unreachable', false],
  [named('TimeoutError'), 'unreachable', false],
  [named('SlowDown', 503), 'unreachable', false],
  [named('InternalError', 500), 'unreachable', false],
  [named('ExpiredToken', 400), 'unreachable', false],
  [new Error('never seen before'), 'unreachable', false],
])('%s is %s', (error, code, permanent) => {
  expect(s3Problem(error, 's3://bucket/')).toMatchObject({ code, permanent, cause: error });
});

it('the message names the bucket, the code and the reason, once each', () => {
  expect(s3Problem(named('AccessDenied', 403), 's3://bucket/').message).toBe('s3://bucket/: said AccessDenied');
  expect(s3Problem(coded('ECONNREFUSED'), 's3://bucket/').message).toBe('s3://bucket/: connect ECONNREFUSED');
});

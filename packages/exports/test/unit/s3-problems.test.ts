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

const PASSING: readonly (readonly [number, readonly string[]])[] = [
  [400, ['BadDigest', 'IncompleteBody', 'InvalidPart', 'RequestTimeout', 'TokenRefreshRequired', 'ExpiredToken']],
  [400, ['XAmzContentSHA256Mismatch', 'XAmzContentChecksumMismatch', 'ExpiredTokenException', 'RequestExpired']],
  [400, ['ClientDisconnected', 'MalformedTrailerError', 'ThrottlingException', 'KMS.ThrottlingException']],
  [403, ['RequestTimeTooSkewed', 'ExpiredToken', 'RequestThrottled', 'RequestLimitExceeded']],
  [404, ['NoSuchUpload']],
  [409, ['OperationAborted', 'ConditionalRequestConflict', 'AnythingElse']],
  [503, ['SlowDown', 'ServiceUnavailable', 'Busy', 'XMinioServerNotInitialized', 'SlowDownWrite']],
];
it.each(PASSING.flatMap(([status, codes]) => codes.map((code) => [status, code] as const)))(
  '%i %s ends by itself',
  (status, code) => expect(s3Problem(named(code, status), '')).toMatchObject({ code: 'unreachable', permanent: false }),
);

const PERMANENT: readonly (readonly [number, string, string])[] = [
  [400, 'InvalidToken', 'bad_credentials'],
  [400, 'AuthorizationHeaderMalformed', 'bad_destination'],
  [400, 'InvalidBucketName', 'bad_destination'],
  [400, 'IllegalLocationConstraintException', 'bad_destination'],
  [400, 'InvalidRequest', 'bad_destination'],
  [400, 'InvalidArgument', 'bad_destination'],
  [400, 'EntityTooLarge', 'bad_destination'],
  [400, 'KeyTooLongError', 'bad_destination'],
  [400, 'KMS.DisabledException', 'access_denied'],
  [400, 'KMS.NotFoundException', 'access_denied'],
  [403, 'AccountProblem', 'access_denied'],
  [403, 'AllAccessDisabled', 'access_denied'],
  [403, 'InvalidObjectState', 'access_denied'],
  [403, 'NotSignedUp', 'bad_credentials'],
  [403, 'InvalidClientTokenId', 'bad_credentials'],
  [404, 'NoSuchAccessPoint', 'no_bucket'],
  [405, 'MethodNotAllowed', 'bad_destination'],
  [501, 'NotImplemented', 'bad_destination'],
  [507, 'InsufficientStorage', 'quota_exceeded'],
];
it.each(PERMANENT)('%i %s is for good: %s', (status, code, problem) => {
  expect(s3Problem(named(code, status), '')).toMatchObject({ code: problem, permanent: true });
});

it.each([400, 402, 410, 412, 413, 416, 418, 421, 422, 451])('an unknown %i may be either', (status) => {
  expect(s3Problem(named('NeverSeen', status), '')).toMatchObject({ code: 'rejected', permanent: false });
});

it.each([307, 408, 423, 425, 429, 500, 502, 503, 504, 520])('an unknown %i ends by itself', (status) => {
  expect(s3Problem(named('NeverSeen', status), '')).toMatchObject({ code: 'unreachable', permanent: false });
});

it('a code counts wherever the SDK puts it', () => {
  expect(
    s3Problem(Object.assign(new Error('no'), { Code: 'IncompleteBody', $metadata: { httpStatusCode: 400 } }), '').code,
  ).toBe('unreachable');
});

it('the message names the bucket, the code and the reason, once each', () => {
  expect(s3Problem(named('AccessDenied', 403), 's3://bucket/').message).toBe('s3://bucket/: said AccessDenied');
  expect(s3Problem(coded('ECONNREFUSED'), 's3://bucket/').message).toBe('s3://bucket/: connect ECONNREFUSED');
});

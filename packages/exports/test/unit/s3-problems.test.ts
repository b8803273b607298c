import { expect, it } from 'vitest';
import { S3_CODES } from '../../src/s3-codes.ts';
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

/** By the status that S3's documentation gives each; see the sources in s3-codes.ts. */
const PASSING: Readonly<Record<number, string>> = {
  400: `BadDigest IncompleteBody InvalidPart InvalidDigest RequestTimeout TokenRefreshRequired ExpiredToken ExpiredTokenException
    XAmzContentSHA256Mismatch XAmzContentChecksumMismatch RequestExpired ClientDisconnected MalformedTrailerError
    ThrottlingException KMS.ThrottlingException KMS.KMSInternalException KMS.DependencyTimeoutException KMS.LimitExceededException
    ConnectionClosedByRequester InvalidSessionException ResponseInterrupted`,
  403: 'RequestTimeTooSkewed ExpiredToken RequestThrottled RequestLimitExceeded',
  404: 'NoSuchUpload',
  409: 'OperationAborted ConditionalRequestConflict ClientTokenConflict AnythingElse',
  429: 'TooManyRequests SlowDown AnythingElse',
  500: 'InternalError AnythingElse',
  503: 'SlowDown ServiceUnavailable Busy XMinioServerNotInitialized SlowDownWrite SlowDownRead',
};
const CONNECTION =
  'ECONNREFUSED ECONNRESET ECONNABORTED ETIMEDOUT EPIPE EHOSTUNREACH ENETUNREACH EAI_AGAIN ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR TimeoutError';

const PERMANENT: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  bad_credentials: {
    400: 'InvalidToken AuthorizationQueryParametersError CredentialsNotSupported InvalidSignature SignatureVersionNotSupported',
    403: `InvalidAccessKeyId SignatureDoesNotMatch NotSignedUp InvalidClientTokenId InvalidSecurity MissingSecurityHeader
      MissingAuthenticationToken XMinioAccessKeyDisabled`,
  },
  access_denied: {
    400: `KMS.DisabledException KMS.NotFoundException KMS.InvalidKeyUsageException KMS.KMSInvalidStateException
      AccessControlListNotSupported InvalidBucketAclWithObjectOwnership InvalidBucketOwnerAWSAccountID`,
    403: `AccessDenied AccountProblem AllAccessDisabled InvalidObjectState AccountSuspended UnexpectedIPError
      UnauthorizedAccessError UserSuspended AnythingElse`,
  },
  no_bucket: {
    400: 'InvalidAccessPoint',
    404: 'NoSuchBucket NoSuchAccessPoint NoSuchMultiRegionAccessPoint AnythingElse',
  },
  quota_exceeded: {
    403: 'QuotaExceeded XMinioAdminBucketQuotaExceeded',
    507: 'InsufficientStorage XMinioStorageFull AnythingElse',
  },
  bad_destination: {
    301: 'PermanentRedirect PermanentRedirectControlError AnythingElse',
    400: `AuthorizationHeaderMalformed InvalidBucketName IllegalLocationConstraintException InvalidRequest InvalidArgument
      EntityTooLarge KeyTooLongError IncorrectEndpoint InvalidAddressingHeader InvalidHttpMethod UnsupportedArgument
      UserKeyMustBeSpecified MetadataTooLarge InvalidStorageClass InvalidEncryptionAlgorithmError UnsupportedSignature`,
    405: 'MethodNotAllowed AnythingElse',
    501: 'NotImplemented AnythingElse',
  },
};
const TLS = `CERT_HAS_EXPIRED CERT_NOT_YET_VALID DEPTH_ZERO_SELF_SIGNED_CERT SELF_SIGNED_CERT_IN_CHAIN HOSTNAME_MISMATCH
  UNABLE_TO_VERIFY_LEAF_SIGNATURE ERR_TLS_CERT_ALTNAME_INVALID ERR_SSL_WRONG_VERSION_NUMBER ERR_SSL_PACKET_LENGTH_TOO_LONG
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED`;

const words = (text: string): string[] => text.split(/\s+/);
const rows = (codes: Readonly<Record<number, string>>): [number, string][] =>
  Object.entries(codes).flatMap(([status, text]) =>
    words(text).map((code): [number, string] => [Number(status), code]),
  );

it.each(rows(PASSING))('%i %s ends by itself', (status, code) => {
  expect(s3Problem(named(code, status), '')).toMatchObject({ code: 'unreachable', permanent: false });
});

it.each(words(CONNECTION))('the connection ends with %s, and that ends by itself', (code) => {
  expect(s3Problem(coded(code), '')).toMatchObject({ code: 'unreachable', permanent: false });
});

it.each(
  Object.entries(PERMANENT).flatMap(([problem, codes]) =>
    rows(codes).map(([status, code]) => [status, code, problem] as const),
  ),
)('%i %s is for good: %s', (status, code, problem) => {
  expect(s3Problem(named(code, status), '')).toMatchObject({ code: problem, permanent: true });
});

it.each(words(TLS))('TLS fails with %s, and that is for good', (code) => {
  expect(s3Problem(coded(code), '')).toMatchObject({ code: 'bad_destination', permanent: true });
});

it('no code means two things, and the table has no problem without one but `rejected`', () => {
  const codes = Object.values(S3_CODES).flat();
  expect(codes.length).toBe(new Set(codes).size);
  expect(Object.entries(S3_CODES).flatMap(([problem, all]) => (all.length === 0 ? [problem] : []))).toEqual([
    'rejected',
  ]);
});

it('a refusal because of the time says what both clocks say', () => {
  const error = Object.assign(named('RequestTimeTooSkewed', 403), { ServerTime: '2026-11-30T07:00:00Z' });
  expect(s3Problem(error, 's3://bucket/').message).toMatch(
    /^s3:\/\/bucket\/: said RequestTimeTooSkewed \(this machine's clock says \d{4}-[^ ]+Z, the server's 2026-11-30T07:00:00Z\)$/,
  );
  expect(s3Problem(coded('CERT_NOT_YET_VALID'), '').message).toMatch(/ \(this machine's clock says \d{4}-[^ ]+Z\)$/);
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

import { messageOf } from '@sluice/errors/message-of';
import { DestinationError, type DestinationProblem } from './destination.ts';

/**
 * Turns what the SDK threw into a DestinationError: by the code of the answer, else by its HTTP status.
 *
 * The code decides, because one status means both: 400 is IncompleteBody, which ends by itself, and InvalidBucketName,
 * which does not. A status of 4xx without a known code is `rejected`: retried a few times. Anything else is temporary.
 */
export function s3Problem(error: unknown, label: string): DestinationError {
  if (error instanceof DestinationError) return error;
  const { name, Code, code, $metadata } = error as SdkError;
  const problem =
    [name, Code, code].map((each) => problemOfCode(each ?? '')).find((each) => each !== undefined) ??
    problemOfStatus($metadata?.httpStatusCode ?? 0);
  const message = messageOf(error);
  // Servers that answer without a message leave the SDK with UnknownError.
  const said = name === undefined || name === 'Error' || message.includes(name) ? message : `${name}: ${message}`;
  return new DestinationError(problem, `${label}: ${said}`, { cause: error });
}

/** What errors of the SDK and of the network below it have. */
interface SdkError {
  /** The code of S3's answer. */
  readonly name?: string;
  readonly Code?: string;
  /** The code of the network. */
  readonly code?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

/** Codes of S3, of servers that speak its protocol (MinIO, Ceph, Google), of AWS's STS and KMS, and of Node.js. */
const CODES: Readonly<Record<DestinationProblem, readonly string[]>> = {
  bad_credentials: [
    'CredentialsProviderError',
    'IncompleteSignature',
    'InvalidAccessKeyId',
    'InvalidClientTokenId',
    'InvalidSecurity',
    'InvalidToken',
    'MissingAuthenticationToken',
    'MissingSecurityElement',
    'MissingSecurityHeader',
    'NotSignedUp',
    'SignatureDoesNotMatch',
    'UnauthorizedAccess',
    'UnrecognizedClientException',
  ],
  access_denied: [
    'AccessDenied',
    'AccessDeniedException',
    'AccessForbidden',
    'AccountProblem',
    'AllAccessDisabled',
    'InvalidObjectState',
    'InvalidPayer',
    'ObjectLocked',
    'RequestPayerRequired',
    'UserSuspended',
  ],
  no_bucket: ['NoSuchBucket', 'NoSuchAccessPoint'],
  quota_exceeded: [
    'InsufficientStorage',
    'QuotaExceeded',
    'StorageQuotaExceeded',
    'XMinioAdminBucketQuotaExceeded',
    'XMinioStorageFull',
  ],
  not_there: ['NoSuchKey', 'NoSuchVersion', 'NotFound'],
  bad_destination: [
    'AuthorizationHeaderMalformed',
    'EntityTooLarge',
    'EntityTooSmall',
    'IllegalLocationConstraintException',
    'InvalidArgument',
    'InvalidBucketName',
    'InvalidBucketState',
    'InvalidEncryptionAlgorithmError',
    'InvalidHostHeader',
    'InvalidLocationConstraint',
    'InvalidObjectName',
    'InvalidRegion',
    'InvalidRegionName',
    'InvalidRequest',
    'InvalidStorageClass',
    'InvalidURI',
    'KeyTooLongError',
    'MethodNotAllowed',
    'MissingContentLength',
    'NotImplemented',
    'PermanentRedirect',
    'ServerSideEncryptionConfigurationNotFoundError',
    'UnsupportedSignature',
    'XMinioInvalidObjectName',
    'CERT_CHAIN_TOO_LONG',
    'CERT_HAS_EXPIRED',
    'CERT_NOT_YET_VALID',
    'CERT_REVOKED',
    'CERT_UNTRUSTED',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'ENOTFOUND',
    'EPRIVATE',
    'EPROTO',
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'SELF_SIGNED_CERT_IN_CHAIN',
    'UNABLE_TO_GET_ISSUER_CERT',
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  ],
  unreachable: [
    'BadDigest',
    'BandwidthLimitExceeded',
    'Busy',
    'ClientDisconnected',
    'ConditionalRequestConflict',
    'ExpiredToken',
    'ExpiredTokenException',
    'IncompleteBody',
    'InternalError',
    'InternalFailure',
    'InternalServerError',
    'InvalidDigest',
    'InvalidPart',
    'InvalidPartOrder',
    'LimitExceededException',
    'MalformedTrailerError',
    'NoSuchUpload',
    'OperationAborted',
    'PriorRequestNotComplete',
    'Redirect',
    'RequestExpired',
    'RequestLimitExceeded',
    'RequestThrottled',
    'RequestThrottledException',
    'RequestTimeTooSkewed',
    'RequestTimeout',
    'RequestTimeoutException',
    'ServerBusy',
    'ServiceUnavailable',
    'SlowDown',
    'SlowDownRead',
    'SlowDownWrite',
    'TemporaryRedirect',
    'Throttling',
    'ThrottlingException',
    'ThrottledException',
    'TimeoutError',
    'TokenRefreshRequired',
    'TooManyRequests',
    'TooManyRequestsException',
    'XAmzContentChecksumMismatch',
    'XAmzContentSHA256Mismatch',
    'XMinioBackendDown',
    'XMinioServerNotInitialized',
  ],
  rejected: [],
};

const PROBLEMS: ReadonlyMap<string, DestinationProblem> = new Map(
  Object.entries(CODES).flatMap(([problem, codes]) => codes.map((code) => [code, problem as DestinationProblem])),
);

/** `KMS.DisabledException` and the like: the key of a bucket's encryption can't be used. */
const KMS = /^KMS\./;
const KMS_FOR_A_MOMENT = /Throttling|Timeout|Internal|Unavailable|LimitExceeded/;

function problemOfCode(code: string): DestinationProblem | undefined {
  if (KMS.test(code)) return KMS_FOR_A_MOMENT.test(code) ? 'unreachable' : 'access_denied';
  return PROBLEMS.get(code);
}

/** For answers without a code, or with one that is not known. */
const STATUSES: Readonly<Record<number, DestinationProblem>> = {
  301: 'bad_destination',
  308: 'bad_destination',
  401: 'bad_credentials',
  403: 'access_denied',
  404: 'no_bucket',
  405: 'bad_destination',
  408: 'unreachable',
  409: 'unreachable',
  423: 'unreachable',
  425: 'unreachable',
  429: 'unreachable',
  501: 'bad_destination',
  507: 'quota_exceeded',
};

function problemOfStatus(status: number): DestinationProblem {
  return STATUSES[status] ?? (status >= 400 && status < 500 ? 'rejected' : 'unreachable');
}

import { messageOf } from '@sluice/errors/message-of';
import { DestinationError, type DestinationProblem } from './destination.ts';

/** Names of S3 errors, and codes of network errors, that say more than their HTTP status. */
const BY_NAME: Readonly<Record<string, DestinationProblem>> = {
  InvalidAccessKeyId: 'bad_credentials',
  SignatureDoesNotMatch: 'bad_credentials',
  InvalidToken: 'bad_credentials',
  CredentialsProviderError: 'bad_credentials',
  AccessDenied: 'access_denied',
  AccountProblem: 'access_denied',
  AllAccessDisabled: 'access_denied',
  NoSuchBucket: 'no_bucket',
  QuotaExceeded: 'quota_exceeded',
  XMinioStorageFull: 'quota_exceeded',
  XMinioAdminBucketQuotaExceeded: 'quota_exceeded',
  InsufficientStorage: 'quota_exceeded',
  NoSuchKey: 'not_there',
  NotFound: 'not_there',
  PermanentRedirect: 'bad_destination',
  AuthorizationHeaderMalformed: 'bad_destination',
  IllegalLocationConstraintException: 'bad_destination',
  InvalidBucketName: 'bad_destination',
  ENOTFOUND: 'bad_destination',
  EPRIVATE: 'bad_destination',
  EPROTO: 'bad_destination',
  CERT_HAS_EXPIRED: 'bad_destination',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'bad_destination',
  ERR_TLS_CERT_ALTNAME_INVALID: 'bad_destination',
  SELF_SIGNED_CERT_IN_CHAIN: 'bad_destination',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'bad_destination',
  // Temporary, though their status is 4xx.
  ExpiredToken: 'unreachable',
  NoSuchUpload: 'unreachable',
  RequestTimeout: 'unreachable',
  RequestTimeTooSkewed: 'unreachable',
  SlowDown: 'unreachable',
};

const BY_STATUS: Readonly<Record<number, DestinationProblem>> = {
  301: 'bad_destination',
  307: 'bad_destination',
  400: 'bad_destination',
  401: 'bad_credentials',
  403: 'access_denied',
  404: 'no_bucket',
  405: 'bad_destination',
  507: 'quota_exceeded',
};

/** Turns what the SDK threw into a DestinationError. An unknown error counts as temporary. */
export function s3Problem(error: unknown, label: string): DestinationError {
  if (error instanceof DestinationError) return error;
  const { name, code, $metadata } = error as { name?: string; code?: string; $metadata?: { httpStatusCode?: number } };
  const problem =
    BY_NAME[name ?? ''] ?? BY_NAME[code ?? ''] ?? BY_STATUS[$metadata?.httpStatusCode ?? 0] ?? 'unreachable';
  const message = messageOf(error);
  // Servers that answer without a message leave the SDK with UnknownError.
  const said = name === undefined || name === 'Error' || message.includes(name) ? message : `${name}: ${message}`;
  return new DestinationError(problem, `${label}: ${said}`, { cause: error });
}

import { messageOf } from '@sluice/errors/message-of';
import { DestinationError, type DestinationProblem } from './destination.ts';
import { S3_CODES } from './s3-codes.ts';

/**
 * Turns what the SDK threw into a DestinationError: by the code of the answer, else by its HTTP status.
 *
 * The code decides, because one status means both: 400 is IncompleteBody, which ends by itself, and InvalidBucketName,
 * which does not. A status of 4xx without a known code is `rejected`: retried a few times. Anything else is temporary.
 */
export function s3Problem(error: unknown, label: string): DestinationError {
  if (error instanceof DestinationError) return error;
  const { name, Code, code, $metadata } = error as SdkError;
  const message = messageOf(error);
  const problem =
    [name, Code, code].map((each) => problemOfCode(each ?? '', message)).find((each) => each !== undefined) ??
    problemOfStatus($metadata?.httpStatusCode ?? 0);
  // Servers that answer without a message leave the SDK with UnknownError.
  const said = name === undefined || name === 'Error' || message.includes(name) ? message : `${name}: ${message}`;
  return new DestinationError(problem, `${label}: ${said}${aboutClocks(error as SdkError)}`, { cause: error });
}

/** A refusal because of the time does not say whose clock is wrong. */
function aboutClocks({ name, Code, code, ServerTime }: SdkError): string {
  const isClock = [name, Code, code].some((each) =>
    /^(?:RequestTimeTooSkewed|CERT_HAS_EXPIRED|CERT_NOT_YET_VALID)$/.test(each ?? ''),
  );
  if (!isClock) return '';
  const theirs = ServerTime === undefined ? '' : `, the server's ${ServerTime}`;
  return ` (this machine's clock says ${new Date().toISOString()}${theirs})`;
}

/** What errors of the SDK and of the network below it have. */
interface SdkError {
  /** The code of S3's answer. */
  readonly name?: string;
  readonly Code?: string;
  /** What the server's clock says, where it refuses the time of a request. */
  readonly ServerTime?: string;
  /** The code of the network. */
  readonly code?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

const PROBLEMS: ReadonlyMap<string, DestinationProblem> = new Map(
  Object.entries(S3_CODES).flatMap(([problem, codes]) => codes.map((code) => [code, problem as DestinationProblem])),
);

/** `KMS.DisabledException` and the like: the key of a bucket's encryption can't be used. */
const KMS = /^KMS\./;
const KMS_FOR_A_MOMENT = /Throttling|Timeout|Internal|Unavailable|LimitExceeded/;

/** OpenSSL's reasons for an EPROTO that ends by itself; with all others the two sides cannot talk TLS. */
const TLS_FOR_A_MOMENT = /alert (?:internal error|user cancel\w+|close notify)|unexpected eof|bad record mac|decrypt/i;

function problemOfCode(code: string, message: string): DestinationProblem | undefined {
  if (code === 'EPROTO') return TLS_FOR_A_MOMENT.test(message) ? 'unreachable' : 'bad_destination';
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

import type { Readable } from 'node:stream';

/** Where exported files go. It holds no secret, so it may be stored, shown and logged. */
export type DestinationSettings =
  | {
      readonly kind: 'local';
      /** Folder under EXPORT_DIR; relative, without `..`. */
      readonly prefix: string;
    }
  | {
      readonly kind: 's3';
      readonly bucket: string;
      /** Start of every key. */
      readonly prefix: string;
      readonly region?: string;
      /** An S3-compatible server; left out for AWS. */
      readonly endpoint?: string;
      /** `https://endpoint/bucket/key` instead of `https://bucket.endpoint/key`. */
      readonly path_style?: boolean;
    };

/** Keys of an S3 bucket. Without them the AWS SDK's own chain is used: environment, profile, IAM role. */
export interface Credentials {
  readonly access_key_id: string;
  readonly secret_access_key: string;
}

/** A folder or bucket that exported files are written to. */
export interface Destination {
  /** For logs and messages: `s3://bucket/prefix` or a folder; never a secret. */
  readonly label: string;
  /**
   * Writes one file. Readers see it whole or not at all. It replaces a file of the same key.
   *
   * @throws DestinationError
   */
  write(key: string, body: Readable, signal: AbortSignal): Promise<void>;
  /** @throws DestinationError `not_there` when there is no such file */
  read(key: string, signal: AbortSignal): Promise<Readable>;
  /** Removes a file; does nothing when there is none. */
  remove(key: string, signal: AbortSignal): Promise<void>;
  /** Removes half-written files of interrupted attempts from a folder: they take room, and no reader sees them. */
  removeUnfinished(folder: string, signal: AbortSignal): Promise<void>;
  /**
   * Writes, reads and removes a small file, so that wrong settings are found before the first export.
   *
   * @throws DestinationError
   */
  probe(signal: AbortSignal): Promise<void>;
  close(): void;
}

/** What can be wrong with a destination. `docs/reference/errors.md` lists the same; a test compares the two. */
export const DESTINATION_PROBLEMS = {
  bad_credentials: { permanent: true, meaning: 'The access key is unknown, or its secret is wrong.' },
  access_denied: { permanent: true, meaning: 'The credentials are good, but may not do this.' },
  no_bucket: { permanent: true, meaning: 'There is no such bucket.' },
  quota_exceeded: { permanent: true, meaning: 'The destination takes no more: quota, or a full disk.' },
  bad_destination: { permanent: true, meaning: 'The settings cannot work: wrong region, no such host, no folder.' },
  not_there: { permanent: true, meaning: 'A file that should be there is not.' },
  unreachable: {
    permanent: false,
    meaning: 'The destination did not answer, or answered that it cannot at the moment.',
  },
  rejected: {
    permanent: false,
    meaning: 'The destination refused, or answered in a way that Sluice does not know.',
  },
} as const;

export type DestinationProblem = keyof typeof DESTINATION_PROBLEMS;

/** Why a destination failed. The message says what to do and holds no secret. */
export class DestinationError extends Error {
  readonly code: DestinationProblem;

  constructor(code: DestinationProblem, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'DestinationError';
    this.code = code;
  }

  /** True when retrying can't help until an operator or the customer changes something. */
  get permanent(): boolean {
    return DESTINATION_PROBLEMS[this.code].permanent;
  }
}

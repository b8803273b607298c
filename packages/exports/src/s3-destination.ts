import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { type Credentials, type Destination, DestinationError, type DestinationSettings } from './destination.ts';
import { probeDestination } from './probe-destination.ts';
import { PrivateAddressError, publicLookup, refusePrivateHost } from './public-address.ts';
import { s3Problem } from './s3-problems.ts';
import { keySegments } from './safe-key.ts';

/**
 * Bytes of one part of a multipart upload (the least that S3 accepts), and how many parts are sent at once. An upload
 * holds these parts and the next one in memory, and a backup is a second upload.
 */
const PART_BYTES = 5 * 1024 * 1024;
const PARTS_AT_ONCE = 1;

/** Tries of one request; the export runner retries whole runs. */
const MAX_ATTEMPTS = 3;
const CONNECT_TIMEOUT_MS = 5_000;
/** A connection is given up after this long without a byte, in milliseconds. */
const IDLE_TIMEOUT_MS = 30_000;

/**
 * Opens a bucket of S3 or of a server that speaks its protocol. S3 shows an object only when it is complete.
 *
 * @throws DestinationError `bad_destination` for an endpoint in a private network, unless that is allowed
 */
export function openS3Destination(
  settings: DestinationSettings & { kind: 's3' },
  credentials: Credentials | null,
  options: { allowPrivate: boolean },
): Destination {
  const { bucket, endpoint } = settings;
  const start = settings.prefix === '' ? '' : `${keySegments(settings.prefix).join('/')}/`;
  const label = `s3://${bucket}/${start}`;
  if (endpoint !== undefined && !options.allowPrivate) refusePrivate(endpoint, label);
  const agentOptions = { keepAlive: true, maxSockets: 16, ...(options.allowPrivate ? {} : { lookup: publicLookup() }) };
  const agents = { httpAgent: new HttpAgent(agentOptions), httpsAgent: new HttpsAgent(agentOptions) };
  const client = new S3Client({
    region: settings.region ?? 'us-east-1',
    // Without a region, AWS says where the bucket is.
    followRegionRedirects: settings.region === undefined && endpoint === undefined,
    forcePathStyle: settings.path_style ?? false,
    maxAttempts: MAX_ATTEMPTS,
    // An AWS profile of the daemon's user must not redirect a tenant's files.
    ignoreConfiguredEndpointUrls: true,
    requestHandler: { ...agents, connectionTimeout: CONNECT_TIMEOUT_MS, socketTimeout: IDLE_TIMEOUT_MS },
    ...(endpoint === undefined
      ? {}
      : {
          endpoint,
          // Some servers other than AWS's do not know the checksums that newer SDKs add.
          requestChecksumCalculation: 'WHEN_REQUIRED' as const,
          responseChecksumValidation: 'WHEN_REQUIRED' as const,
        }),
    ...(credentials === null
      ? {}
      : {
          credentials: { accessKeyId: credentials.access_key_id, secretAccessKey: credentials.secret_access_key },
        }),
  });
  refusePages(client, label);
  const at = (key: string) => ({ Bucket: bucket, Key: `${start}${keySegments(key).join('/')}` });
  const named = async <T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> => {
    try {
      signal.throwIfAborted();
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      throw s3Problem(error, label);
    }
  };

  const destination = {
    label,
    write: (key: string, body: Readable, signal: AbortSignal): Promise<void> =>
      named(signal, async () => {
        const etag = await upload(client, at(key), body, signal);
        if (!isEntityTag(etag)) {
          throw new DestinationError('rejected', `${label}: an upload was answered without the ETag of the object`);
        }
      }),
    read: (key: string, signal: AbortSignal): Promise<Readable> =>
      named(signal, async () => {
        const { Body } = await client.send(new GetObjectCommand(at(key)), { abortSignal: signal });
        if (Body === undefined) throw new DestinationError('unreachable', `${label}: an answer without a body`);
        return Body as Readable;
      }),
    remove: (key: string, signal: AbortSignal): Promise<void> =>
      named(signal, async () => {
        await client.send(new DeleteObjectCommand(at(key)), { abortSignal: signal });
      }),
    removeUnfinished: (folder: string, signal: AbortSignal): Promise<void> =>
      named(signal, async () => {
        const { Key } = at(folder);
        const { Uploads = [] } = await client.send(
          new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: `${Key}/` }),
          { abortSignal: signal },
        );
        for (const found of Uploads) {
          await client.send(
            new AbortMultipartUploadCommand({ Bucket: bucket, Key: found.Key, UploadId: found.UploadId }),
            { abortSignal: signal },
          );
        }
      }),
    close() {
      client.destroy();
      agents.httpAgent.destroy();
      agents.httpsAgent.destroy();
    },
  };
  return { ...destination, probe: (signal) => probeDestination(destination, signal) };
}

/**
 * Fails for a web page that is sent in place of S3's answer, with a status of success: by a proxy, a login page, or a
 * server that is no S3. Downloads pass, because an object may be a page.
 */
function refusePages(client: S3Client, label: string): void {
  client.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        const answer = await next(args);
        const { statusCode = 0, headers = {} } = answer.response as RawAnswer;
        const type = headers['content-type'] ?? '';
        if (commandName !== 'GetObjectCommand' && statusCode < 300 && /^text\/html\b/i.test(type)) {
          throw new DestinationError('rejected', `${label}: the answer is a web page, not one of S3`);
        }
        return answer;
      },
    { step: 'deserialize', priority: 'low', name: 'refusePages' },
  );
}

interface RawAnswer {
  readonly statusCode?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** S3's are strong: a weak one was made by a server of pages. */
function isEntityTag(etag: string | undefined): boolean {
  return etag !== undefined && etag !== '' && !etag.startsWith('W/');
}

function refusePrivate(endpoint: string, label: string): void {
  try {
    refusePrivateHost(new URL(endpoint).hostname);
  } catch (error) {
    if (!(error instanceof PrivateAddressError)) throw error;
    throw new DestinationError('bad_destination', `${label}: ${error.message}`, { cause: error });
  }
}

/** Uploads one object, in parts when it is large. @returns the ETag that the server gave it */
async function upload(
  client: S3Client,
  at: { Bucket: string; Key: string },
  body: Readable,
  signal: AbortSignal,
): Promise<string | undefined> {
  const abort = new AbortController();
  // The caller reports the body's own error; the upload would only say that it ended early.
  body.on('error', () => abort.abort());
  const stop = (): void => abort.abort();
  signal.addEventListener('abort', stop, { once: true });
  const running = new Upload({
    client,
    params: { ...at, Body: body },
    partSize: PART_BYTES,
    queueSize: PARTS_AT_ONCE,
    abortController: abort,
    // Parts are removed below: here a failed removal would hide why the upload failed.
    leavePartsOnError: true,
  });
  try {
    return (await running.done()).ETag;
  } catch (error) {
    if (running.uploadId !== undefined) {
      // A failed removal must not hide why the upload failed.
      await client.send(new AbortMultipartUploadCommand({ ...at, UploadId: running.uploadId })).catch(() => {});
    }
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
    body.destroy();
  }
}

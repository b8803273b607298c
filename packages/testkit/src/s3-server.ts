import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import S3rver from 's3rver';
import type { DestinationSettings } from '@sluice/exports/destination';
import { openDestination } from '@sluice/exports/open-destination';

/** The only key that s3rver knows; its secret is not checked. */
export const S3_CREDENTIALS = { access_key_id: 'S3RVER', secret_access_key: 'S3RVER' };

/** A real S3 server over HTTP, on a folder, with two buckets. */
export interface S3Server {
  readonly port: number;
  readonly endpoint: string;
  /** The folder of objects, by bucket; half-written uploads are in it too. */
  readonly folder: string;
  /** @param endpoint another one, e.g. a proxy's */
  settings(bucket: 'client' | 'backup', prefix?: string, endpoint?: string): DestinationSettings;
  /** Keys of a bucket, sorted. */
  keys(bucket: 'client' | 'backup'): Promise<string[]>;
  read(bucket: 'client' | 'backup', key: string): Promise<Buffer>;
  close(): Promise<void>;
}

export async function startS3Server(): Promise<S3Server> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-s3-'));
  const server = new S3rver({
    address: '127.0.0.1',
    port: 0,
    silent: true,
    directory: folder,
    configureBuckets: [{ name: 'client' }, { name: 'backup' }],
  });
  const { port } = await server.run();
  const endpoint = `http://127.0.0.1:${port}`;
  const settings: S3Server['settings'] = (bucket, prefix = '', at = endpoint) => ({
    kind: 's3',
    bucket,
    prefix,
    endpoint: at,
    path_style: true,
  });
  return {
    port,
    endpoint,
    folder,
    settings,
    async keys(bucket) {
      const names = await readdir(join(folder, bucket), { recursive: true });
      return names
        .filter((name) => name.endsWith('._S3rver_object'))
        .map((name) => name.slice(0, -'._S3rver_object'.length))
        .toSorted();
    },
    async read(bucket, key) {
      const destination = openDestination(settings(bucket), S3_CREDENTIALS, { exportDir: folder, allowPrivate: true });
      try {
        return await buffer(await destination.read(key, new AbortController().signal));
      } finally {
        destination.close();
      }
    },
    async close() {
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

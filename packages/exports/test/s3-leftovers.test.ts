import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { openS3Destination } from '../src/s3-destination.ts';

const credentials = { access_key_id: 'key', secret_access_key: 'secret' };
const signal = new AbortController().signal;
let server: Server | undefined;
afterEach(() => server?.close());

/** Speaks the two requests that s3rver does not know. @returns what was asked of it */
async function startServer(list: string, status = 200): Promise<{ endpoint: string; asked: string[] }> {
  const asked: string[] = [];
  server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.writeHead(request.method === 'DELETE' ? 204 : status, { 'content-type': 'application/xml' });
    response.end(request.method === 'DELETE' ? '' : list);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

it('uploads that a killed worker began in the folder of its run are aborted, and no others', async () => {
  const { endpoint, asked } = await startServer(
    `<ListMultipartUploadsResult><Bucket>client</Bucket>
     <Upload><Key>p/acme/run/part-00001.ndjson</Key><UploadId>one</UploadId></Upload>
     <Upload><Key>p/acme/run/part-00002.ndjson</Key><UploadId>two</UploadId></Upload></ListMultipartUploadsResult>`,
  );
  const settings = { kind: 's3', bucket: 'client', prefix: 'p', endpoint, path_style: true } as const;
  const destination = openS3Destination(settings, credentials, { allowPrivate: true });
  await destination.removeUnfinished('acme/run', signal);
  destination.close();
  expect(asked[0]).toContain('prefix=p%2Facme%2Frun%2F');
  expect(asked.slice(1)).toEqual([
    expect.stringMatching(/^DELETE \/client\/p\/acme\/run\/part-00001\.ndjson\?.*uploadId=one/),
    expect.stringMatching(/^DELETE \/client\/p\/acme\/run\/part-00002\.ndjson\?.*uploadId=two/),
  ]);
});

it('an endpoint in a private network is refused before anything is sent, unless that is allowed', async () => {
  const { endpoint, asked } = await startServer('');
  const settings = { kind: 's3', bucket: 'client', prefix: '', path_style: true } as const;
  expect(() => openS3Destination({ ...settings, endpoint }, credentials, { allowPrivate: false })).toThrow(
    expect.objectContaining({ code: 'bad_destination' }),
  );
  const byName = { ...settings, endpoint: endpoint.replace('127.0.0.1', 'localhost') };
  const destination = openS3Destination(byName, credentials, { allowPrivate: false });
  await expect(destination.probe(signal)).rejects.toMatchObject({ code: 'bad_destination' });
  destination.close();
  expect(asked).toEqual([]);
});

import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startPostgres } from '@sluice/local-stack/postgres';

/** A Postgres that takes connections to the database `sluice` with TLS only. */
export interface TlsPostgres {
  /** With the password, without a query. The host is `localhost`, the name in the server's certificate. */
  readonly url: string;
  /** The certificate of the authority that signed the server's. */
  readonly ca: string;
  /** One that did not. */
  readonly otherCa: string;
  /** A certificate, and its key, that the user `certified` must show. */
  readonly clientCert: string;
  readonly clientKey: string;
  /** Folder of its Unix socket. */
  readonly socketFolder: string;
  readonly port: number;
  remove(): Promise<void>;
}

const ACCESS = `
# The start looks for its own server in the database postgres, without TLS.
host    postgres sluice    127.0.0.1/32 scram-sha-256
hostssl sluice   certified 127.0.0.1/32 cert
hostssl sluice   all       127.0.0.1/32 scram-sha-256
local   sluice   all                    scram-sha-256
`;

/** Starts one on certificates that are made now, and good for a day. Needs the program openssl. */
export async function tlsPostgres(parent = tmpdir()): Promise<TlsPostgres> {
  const folder = await mkdtemp(join(parent, 'sluice-tls-'));
  const at = (name: string): string => join(folder, name);
  await Promise.all([makeAuthority(at('ca')), makeAuthority(at('other-ca'))]);
  await makeCertificate(at('server'), 'localhost', at('ca'));
  await makeCertificate(at('client'), 'certified', at('ca'));
  await writeFile(at('hba.conf'), ACCESS);
  // A path of its own: it may have 107 bytes at most.
  const socketFolder = await mkdtemp(join(tmpdir(), 'sluice-s-'));
  await promisify(execFile)('chmod', ['0777', socketFolder]);
  const server = await startPostgres({
    dataDir: folder,
    settings: {
      ssl: 'on',
      ssl_cert_file: at('server.pem'),
      ssl_key_file: at('server.key'),
      ssl_ca_file: at('ca.pem'),
      hba_file: at('hba.conf'),
      unix_socket_directories: socketFolder,
      shared_buffers: '64MB',
    },
  });
  const url = new URL(server.url);
  url.hostname = 'localhost';
  return {
    url: url.href,
    ca: at('ca.pem'),
    otherCa: at('other-ca.pem'),
    clientCert: at('client.pem'),
    clientKey: at('client.key'),
    socketFolder,
    port: server.port,
    async remove() {
      await server.stop('immediate');
      await Promise.all([folder, socketFolder].map((each) => rm(each, { recursive: true, force: true })));
    },
  };
}

const openssl = (...args: string[]): Promise<unknown> => promisify(execFile)('openssl', args);
const NEW_KEY = ['-newkey', 'rsa:2048', '-nodes'];

async function makeAuthority(path: string): Promise<void> {
  await openssl(
    'req',
    '-x509',
    ...NEW_KEY,
    '-days',
    '1',
    '-subj',
    '/CN=Test authority',
    '-keyout',
    `${path}.key`,
    '-out',
    `${path}.pem`,
  );
}

/** Writes `<path>.pem` and `<path>.key`. */
async function makeCertificate(path: string, name: string, ca: string): Promise<void> {
  await openssl('req', ...NEW_KEY, '-subj', `/CN=${name}`, '-keyout', `${path}.key`, '-out', `${path}.csr`);
  await writeFile(`${path}.ext`, `subjectAltName=DNS:${name}\n`);
  const signed = [
    '-CA',
    `${ca}.pem`,
    '-CAkey',
    `${ca}.key`,
    '-CAcreateserial',
    '-days',
    '1',
    '-extfile',
    `${path}.ext`,
  ];
  await openssl('x509', '-req', '-in', `${path}.csr`, ...signed, '-out', `${path}.pem`);
}

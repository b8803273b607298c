import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { checkServerIdentity, type ConnectionOptions, createSecureContext, getCACertificates } from 'node:tls';

/** Settings of a TLS connection, as pg passes them to Node. */
export type DatabaseTls = Pick<
  ConnectionOptions,
  'ca' | 'cert' | 'key' | 'passphrase' | 'rejectUnauthorized' | 'checkServerIdentity'
>;

/** Parameters of a database's URL that are read here. */
export const TLS_PARAMETERS = [
  'sslmode',
  'ssl',
  'sslrootcert',
  'sslcert',
  'sslkey',
  'sslpassword',
  'sslnegotiation',
] as const;

/** With the meaning that libpq gives them; `no-verify` is pg's. */
const MODES = ['disable', 'require', 'no-verify', 'verify-ca', 'verify-full'] as const;
type Mode = (typeof MODES)[number];

/** What JDBC, pg and asyncpg write in `ssl`. libpq reads `ssl=true` as `sslmode=require` too. */
const MODE_OF_SSL: ReadonlyMap<string, string> = new Map([
  ['true', 'require'],
  ['1', 'require'],
  ['false', 'disable'],
  ['0', 'disable'],
]);

/**
 * Reads how the connection to a database is encrypted. Without a word about it, it is not.
 *
 * - `require` encrypts and trusts any server; with `sslrootcert` it is `verify-ca`. `no-verify` never verifies.
 * - `verify-ca` verifies that `sslrootcert` signed the server's certificate, `verify-full` its name too.
 *
 * No mode falls back to an unencrypted connection.
 *
 * @throws Error whose message continues "DATABASE_URL …"
 */
export function readTls(
  parameters: ReadonlyMap<string, string>,
  host: string,
): { ssl: DatabaseTls | false; sslnegotiation: 'postgres' | 'direct' } {
  const mode = readMode(parameters);
  const negotiation = parameters.get('sslnegotiation') ?? 'postgres';
  if (negotiation !== 'postgres' && negotiation !== 'direct')
    throw new Error('has the parameter sslnegotiation, which must be postgres or direct');
  if (mode === 'disable') {
    const unused = TLS_PARAMETERS.find(
      (name) => /^ssl(?:rootcert|cert|key|password)$/.test(name) && parameters.has(name),
    );
    if (unused !== undefined) throw new Error(`has the parameter ${unused} and no encryption: add sslmode=verify-full`);
    if (negotiation === 'direct')
      throw new Error('has sslnegotiation=direct and no encryption: add sslmode=verify-full');
    return { ssl: false, sslnegotiation: 'postgres' };
  }
  if (host.startsWith('/')) throw new Error(`has sslmode=${mode} for a Unix socket, which is never encrypted`);
  const ssl = { ...readIdentity(parameters), ...verification(mode, parameters, host) };
  try {
    createSecureContext(ssl);
  } catch (error) {
    throw new Error(`names a certificate or a key that cannot be used: ${(error as Error).message}`, { cause: error });
  }
  return { ssl, sslnegotiation: negotiation };
}

function readMode(parameters: ReadonlyMap<string, string>): Mode {
  const ssl = parameters.get('ssl');
  const alias = ssl === undefined ? undefined : (MODE_OF_SSL.get(ssl) ?? ssl);
  const asked = parameters.get('sslmode') ?? alias ?? 'disable';
  if (alias !== undefined && alias !== asked) throw new Error('has the parameters ssl and sslmode, which differ');
  if (asked === 'allow' || asked === 'prefer')
    throw new Error(
      `has sslmode=${asked}, which would fall back to an unencrypted connection: write require or disable`,
    );
  const mode = MODES.find((each) => each === asked);
  if (mode === undefined) throw new Error(`has the parameter sslmode, which must be one of ${MODES.join(', ')}`);
  return mode;
}

function verification(mode: Mode, parameters: ReadonlyMap<string, string>, host: string): DatabaseTls {
  const root = parameters.get('sslrootcert');
  if (root === 'system' && mode !== 'verify-full')
    throw new Error('has sslrootcert=system, which needs sslmode=verify-full');
  const ca = root === 'system' ? getCACertificates('system') : read('sslrootcert', root);
  if (mode === 'no-verify' || (mode === 'require' && ca === undefined)) return { rejectUnauthorized: false };
  if (mode === 'verify-full')
    return {
      ...(ca === undefined ? {} : { ca }),
      // pg names no server to Node where the host is an address, and Node would look for `localhost`.
      checkServerIdentity: (_name, certificate) => checkServerIdentity(host, certificate),
    };
  if (ca === undefined) throw new Error('has sslmode=verify-ca, which needs sslrootcert');
  return { ca, checkServerIdentity: () => undefined };
}

/** The certificate that this client shows. */
function readIdentity(parameters: ReadonlyMap<string, string>): DatabaseTls {
  const cert = read('sslcert', parameters.get('sslcert'));
  const key = read('sslkey', parameters.get('sslkey'));
  const passphrase = parameters.get('sslpassword');
  if ((cert === undefined) !== (key === undefined))
    throw new Error('has only one of sslcert and sslkey, which belong together');
  return {
    ...(cert === undefined ? {} : { cert, key }),
    ...(passphrase === undefined ? {} : { passphrase }),
  };
}

function read(parameter: string, path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  try {
    const text = readFileSync(path, 'utf8');
    // Node would ignore a file without one.
    if (parameter !== 'sslkey') new X509Certificate(text);
    return text;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(`has the parameter ${parameter}, whose file is no certificate or cannot be read (${code})`, {
      cause: error,
    });
  }
}

import { parse } from 'pg-connection-string';
import { type DatabaseTls, readTls, TLS_PARAMETERS } from './database-tls.ts';

/** How to reach a database: a part of the settings of pg's `Client` and `Pool`. */
export interface DatabaseServer {
  /** A name, an address without brackets, or the folder of a Unix socket. */
  readonly host: string;
  readonly port: number;
  /** Left out: the user of this process, as with psql. */
  readonly user?: string;
  readonly password?: string;
  /** Left out: the one with the user's name. */
  readonly database?: string;
  /** Never undefined: pg would look at PGSSLMODE. */
  readonly ssl: DatabaseTls | false;
  readonly sslnegotiation: 'postgres' | 'direct';
  readonly enableChannelBinding: boolean;
  /** Settings of the server, e.g. `-c search_path=sluice`. */
  readonly options?: string;
  /** How long to wait for a connection, in milliseconds. */
  readonly connectionTimeoutMillis?: number;
}

/** Parameters of the URL that have an effect. Those of TLS are read in `database-tls.ts`. */
export const DATABASE_PARAMETERS: readonly string[] = [
  'host',
  'port',
  'user',
  'password',
  'dbname',
  'options',
  'connect_timeout',
  'client_encoding',
  'gssencmode',
  'target_session_attrs',
  'channel_binding',
  ...TLS_PARAMETERS,
];

/** Parameters that other programs take, with what to do instead. */
const INSTEAD: Readonly<Record<string, string>> = {
  application_name: 'Sluice names its connections itself, and exports rely on these names',
  fallback_application_name: 'Sluice names its connections itself, and exports rely on these names',
  statement_timeout: 'set STATEMENT_TIMEOUT_MS',
  idle_in_transaction_session_timeout: 'set STATEMENT_TIMEOUT_MS',
  hostaddr: 'write the address as the host',
  passfile: 'write the password into the URL',
  service: 'write what the service file says into the URL',
};

const ESCAPES = 'must have special characters percent-encoded (@ as %40, # as %23, / as %2F, ? as %3F, % as %25)';

/**
 * Reads the URL of a database as psql does, with pg's own parser. What has no effect here is refused by name.
 *
 * @returns the settings, with the certificates that the URL names
 * @throws Error whose message continues "DATABASE_URL …" and has no value of the URL
 */
export function readDatabaseUrl(url: string): DatabaseServer {
  // SQLAlchemy's URLs name a driver: `postgresql+asyncpg://`.
  const text = url.trim().replace(/^(postgres(?:ql)?)\+\w+:/i, '$1:');
  if (!/^postgres(?:ql)?:\/\//i.test(text))
    throw new Error('must be a URL that starts with postgres:// or postgresql://');
  const [address, query] = split(text, '?');
  const [authority] = split(address.slice(address.indexOf('//') + 2), '/');
  // An @ after the host is the rest of a password with a / or ? in it, which would name another server.
  const misplaced = query.includes('@') || address.lastIndexOf('@') > address.length - 1 - pathOf(address).length;
  if (/[\s#]|%(?![0-9a-f]{2})/i.test(text) || misplaced) throw new Error(ESCAPES);

  const parameters = readParameters(query);
  if (/,/.test(authority.slice(authority.lastIndexOf('@') + 1)) || /,/.test(parameters.get('host') ?? ''))
    throw new Error('names several hosts, and Sluice connects to one: name the primary');
  const { host, port, user, password, database } = readAddress(address, parameters);
  const tls = readTls(parameters, host);
  const seconds = parameters.get('connect_timeout');
  const options = parameters.get('options');
  return {
    host,
    port,
    ...(user === '' ? {} : { user }),
    ...(password === '' ? {} : { password }),
    ...(database === '' ? {} : { database }),
    ...tls,
    enableChannelBinding: parameters.get('channel_binding') === 'prefer',
    ...(options ? { options } : {}),
    ...(seconds === undefined ? {} : { connectionTimeoutMillis: Number(seconds) * 1000 }),
  };
}

/** For a variable's `check`. */
export function databaseUrlProblem(url: string): string | null {
  try {
    readDatabaseUrl(url);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

/** What the parameters that are allowed may say; any text where there is no entry. */
const ALLOWED: Readonly<Record<string, readonly [RegExp, string]>> = {
  connect_timeout: [/^(?:[1-9]\d?|[12]\d\d|300)$/, 'a number of seconds from 1 to 300'],
  client_encoding: [/^utf-?8$/i, 'UTF8'],
  gssencmode: [/^(?:disable|prefer)$/, 'disable or prefer: connections are not encrypted by GSSAPI'],
  target_session_attrs: [/^any$/, 'any: Sluice connects to the one host that is named'],
  channel_binding: [/^(?:disable|prefer)$/, 'disable or prefer: pg cannot insist on channel binding'],
};

function readParameters(query: string): Map<string, string> {
  const parameters = new Map<string, string>();
  // A + is a +, as psql reads it.
  for (const [name, value] of new URLSearchParams(query.replaceAll('+', '%2B'))) {
    if (!DATABASE_PARAMETERS.includes(name)) {
      const shown = /^\w{1,40}$/.test(name) ? `the parameter ${name}` : 'a parameter';
      const instead = Object.hasOwn(INSTEAD, name) ? INSTEAD[name] : undefined;
      throw new Error(`has ${shown}, which has no effect${instead === undefined ? '' : `: ${instead}`}`);
    }
    const [pattern, expected] = ALLOWED[name] ?? [];
    if (pattern?.test(value) === false) throw new Error(`has the parameter ${name}, which must be ${expected}`);
    if (parameters.has(name)) throw new Error(`has the parameter ${name} twice`);
    parameters.set(name, value);
  }
  return parameters;
}

function readAddress(address: string, parameters: ReadonlyMap<string, string>) {
  const kept = new URLSearchParams();
  for (const name of ['host', 'port', 'user', 'password']) {
    const value = parameters.get(name);
    if (value !== undefined) kept.set(name, value);
  }
  const [parsed, path] = readable(() => [
    parse(`${address}?${kept.toString()}`),
    decodeURIComponent(pathOf(address).slice(1)),
  ]);
  const port = Number(parsed.port || 5432);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new Error('must have a port from 1 to 65535');
  return {
    host: parsed.host || 'localhost',
    port,
    user: parsed.user ?? '',
    password: parsed.password ?? '',
    // A parameter wins over the path, as with psql. pg's parser leaves %2F and the like in a name as they are.
    database: parameters.get('dbname') || path,
  };
}

function readable<T>(read: () => T): T {
  try {
    return read();
  } catch {
    throw new Error(`must be a URL such as postgres://user:password@host:5432/database; it ${ESCAPES}`);
  }
}

/** From the first / after the host on; empty without one. */
function pathOf(address: string): string {
  const at = address.indexOf('/', address.indexOf('//') + 2);
  return at === -1 ? '' : address.slice(at);
}

/** The text before the first `separator`, and the text after it. */
function split(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

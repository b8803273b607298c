import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ApiError } from '@sluice/errors/api-errors';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** True for a route that pages of any site may use, under any host name. */
    forPages?: boolean;
  }
}

/** Who may use an API that runs open, without keys. */
export interface OpenModeRules {
  readonly HOST: string;
  /** More names that clients may use, without ports; `*` for all. */
  readonly ALLOWED_HOSTS: readonly string[];
  /** Origins whose pages may use the API; `*` for all. */
  readonly CORS_ORIGINS: readonly string[];
}

/** Names of the machine itself, which no other site can own. */
const OWN_NAMES: readonly string[] = ['localhost', '127.0.0.1', '[::1]'];

/** Addresses that mean every address of the machine. */
const ALL_ADDRESSES: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

/** Probes and Prometheus come by names and addresses of their network, and change nothing. */
const FOR_EVERYBODY: ReadonlySet<string> = new Set(['/health', '/ready', '/live', '/metrics']);

const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Protects an API that runs open from pages of other sites, which a browser lets send requests to any address. Holds for
 * all routes that are added to this instance afterwards.
 *
 * - The host name must be known: by a name of its own that resolves to this address (DNS rebinding), a page could read
 *   every answer.
 * - A request that changes something must not come from a page of another site.
 */
export function refuseForeignPages(server: FastifyInstance, rules: OpenModeRules): void {
  const names = new Set([...OWN_NAMES, urlName(rules.HOST), ...rules.ALLOWED_HOSTS].map((name) => name.toLowerCase()));
  const isKnown = (request: FastifyRequest): boolean => {
    const { host } = request.headers;
    // Only HTTP/1.0 comes without, and no browser speaks it.
    if (host === undefined || names.has('*')) return true;
    const name = nameOf(host);
    return names.has(name) || (ALL_ADDRESSES.has(rules.HOST) && name === urlName(localAddress(request)));
  };
  const isForeign = ({ headers: { host, origin, 'sec-fetch-site': site } }: FastifyRequest): boolean => {
    if (origin === undefined) return site === 'cross-site' || site === 'same-site';
    const { CORS_ORIGINS: origins } = rules;
    return !origins.includes('*') && !origins.includes(origin) && hostOf(origin) !== host?.toLowerCase();
  };
  server.addHook('onRequest', (request, _reply, done) => {
    const { config, url } = request.routeOptions;
    if (config.forPages === true || FOR_EVERYBODY.has(url ?? '')) done();
    else if (!isKnown(request)) done(misdirected(request));
    else if (!SAFE_METHODS.has(request.method) && isForeign(request)) done(crossSite());
    else done();
  });
}

/** Without its port, in small letters; a name may end with a dot. */
function nameOf(host: string): string {
  return host.toLowerCase().replace(/:\d*$/, '').replace(/\.$/, '');
}

/** An address as URLs have it. */
function urlName(address: string): string {
  return address.includes(':') && !address.startsWith('[') ? `[${address}]` : address;
}

/** The address that the client has connected to; an IPv4 address also on a socket for both kinds. */
function localAddress({ raw: { socket } }: FastifyRequest): string {
  return (socket.localAddress ?? '').replace(/^::ffff:(?=\d+\.)/, '');
}

/** Host and port of an origin; null for `null` and for what is none. */
function hostOf(origin: string): string | null {
  return /^https?:\/\/([^/?#@]+)$/i.exec(origin)?.[1]?.toLowerCase() ?? null;
}

function misdirected({ headers: { host } }: FastifyRequest): ApiError {
  return new ApiError(
    'misdirected_request',
    `This instance runs open and is not known as ${JSON.stringify(host)}. Add the name to ALLOWED_HOSTS, or set API_KEY.`,
  );
}

function crossSite(): ApiError {
  return new ApiError(
    'cross_site_request',
    'This instance runs open, and takes no changes from pages of other sites. Add their origin to CORS_ORIGINS, or set API_KEY.',
  );
}

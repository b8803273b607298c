import { lookup as resolveName } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';

/**
 * Keeps a request whose target a customer chooses inside the public internet: a webhook or an S3 endpoint must not
 * become a way to the metadata service of a cloud, to Redis, or to a neighbour (SSRF).
 *
 * Addresses are checked at the moment of connecting, by the same lookup that the connection uses. So a name gains
 * nothing by answering with a public address first and with a private one later (DNS rebinding).
 */

/** IPv4 that is not the public internet: RFC 6890 and its registry, multicast, class E, and a cloud's own service. */
const PRIVATE_IPV4 = blockList('ipv4', [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  // Azure's WireServer: the agent of the host, at an address of the public space.
  ['168.63.129.16', 32],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
]);

/**
 * All public IPv6 is in here. Outside are loopback, link-local, ULA, multicast, and also IPv4-mapped (::ffff:0:0/96)
 * and NAT64 (64:ff9b::/96) addresses, which would carry a private IPv4 address past this check.
 */
const GLOBAL_IPV6 = blockList('ipv6', [['2000::', 3]]);

/** Inside 2000::/3, but special: protocol assignments with Teredo, documentation, 6to4 (which carries IPv4). */
const SPECIAL_IPV6 = blockList('ipv6', [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
]);

/** Whether a text is an IP address of the public internet; false for a text that is no address. */
export function isPublicAddress(address: string): boolean {
  const version = isIP(address);
  if (version === 4) return !PRIVATE_IPV4.check(address, 'ipv4');
  // A zone (`fe80::1%eth0`) belongs to link-local addresses only.
  if (version !== 6 || address.includes('%')) return false;
  return GLOBAL_IPV6.check(address, 'ipv6') && !SPECIAL_IPV6.check(address, 'ipv6');
}

/** A target that may not be connected to. */
export class PrivateAddressError extends Error {
  readonly code = 'EPRIVATE';

  constructor(host: string) {
    super(`${host} is not an address of the public internet; EXPORT_ALLOW_PRIVATE=true allows it`);
    this.name = 'PrivateAddressError';
  }
}

/**
 * Checks a host that is an IP address already: Node connects to it without a lookup.
 *
 * @param hostname as `URL.hostname` has it, IPv6 in brackets; names pass, `publicLookup` checks them
 * @throws PrivateAddressError
 */
export function refusePrivateHost(hostname: string): void {
  const address = hostname.replace(/^\[(.*)\]$/, '$1');
  if (isIP(address) !== 0 && !isPublicAddress(address)) throw new PrivateAddressError(address);
}

/**
 * Makes a `lookup` for sockets and HTTP agents that fails for a name with any address that is not public.
 *
 * @param resolve resolves a name; tests bring their own
 */
export function publicLookup(resolve: typeof resolveName = resolveName): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) {
        callback(error, '');
        return;
      }
      const first = addresses[0];
      if (first === undefined || addresses.some(({ address }) => !isPublicAddress(address))) {
        callback(new PrivateAddressError(hostname), '');
        return;
      }
      if (options.all === true) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };
}

function blockList(type: 'ipv4' | 'ipv6', subnets: readonly (readonly [string, number])[]): BlockList {
  const list = new BlockList();
  for (const [network, prefix] of subnets) list.addSubnet(network, prefix, type);
  return list;
}

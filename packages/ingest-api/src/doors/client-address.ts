import { isIP, isIPv4 } from 'node:net';

/**
 * The client's address in the form that the column `client_ip` takes. What a trusted proxy forwards may be
 * anything: an address with a port, or text that is no address at all, which would make the row unstorable.
 *
 * @param forwarded Fastify's `request.ip`
 * @returns null when it is not an address
 */
export function clientAddress(forwarded: string): string | null {
  // What it is without a proxy, and behind most: nothing to take away.
  if (isIPv4(forwarded)) return forwarded;
  const address = forwarded
    .trim()
    // 192.0.2.7:5678 and [2001:db8::1]:5678
    .replace(/^\[([^\]]*)\](?::\d+)?$/, '$1')
    .replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, '$1')
    // The zone of a link-local address means something on this machine only.
    .replace(/%.*$/, '')
    // An IPv4 client of a socket that listens on :: too.
    .replace(/^::ffff:(\d+\.\d+\.\d+\.\d+)$/i, '$1');
  return isIP(address) === 0 ? null : address;
}

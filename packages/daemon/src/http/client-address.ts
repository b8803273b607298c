import { isIP, isIPv4 } from 'node:net';

/**
 * Converts a client's address to the form that the column `client_ip` accepts. A trusted proxy may forward an
 * address with a port, or text that is no address. Postgres would refuse the row for either.
 *
 * @param forwarded Fastify's `request.ip`
 * @param peer address of the socket's other end, which is used when `forwarded` is not an address
 * @returns null when neither is an address
 */
export function clientAddress(forwarded: string, peer?: string): string | null {
  return addressIn(forwarded) ?? (peer === undefined ? null : addressIn(peer));
}

function addressIn(forwarded: string): string | null {
  // The usual case: nothing to remove.
  if (isIPv4(forwarded)) return forwarded;
  const address = forwarded
    .trim()
    // 192.0.2.7:5678 and [2001:db8::1]:5678
    .replace(/^\[([^\]]*)\](?::\d+)?$/, '$1')
    .replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, '$1')
    // The zone of a link-local address has a meaning on one machine only.
    .replace(/%.*$/, '')
    // An IPv4 client of a socket that also listens on ::.
    .replace(/^::ffff:(\d+\.\d+\.\d+\.\d+)$/i, '$1');
  return isIP(address) === 0 ? null : address;
}

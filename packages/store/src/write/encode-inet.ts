import { isIPv4, isIPv6 } from 'node:net';

/** Address families of Postgres's binary inet, and their lengths in bits. */
const V4 = [2, 32, 0, 4];
const V6 = [3, 128, 0, 16];

/**
 * An address as Postgres's binary inet.
 *
 * @returns null for what is not a single address, such as a network or one with a zone
 */
export function encodeInet(text: string): Buffer | null {
  if (isIPv4(text)) return Buffer.from([...V4, ...text.split('.').map(Number)]);
  if (!isIPv6(text) || text.includes('%')) return null;
  // An IPv4 address may stand at the end: ::ffff:203.0.113.7
  const lastColon = text.lastIndexOf(':');
  const tail = text.slice(lastColon + 1);
  const groups = tail.includes('.') ? text.slice(0, lastColon + 1) + hexGroups(tail) : text;
  const [before = '', after] = groups.split('::');
  const head = words(before);
  const rest = after === undefined ? [] : words(after);
  const all = [...head, ...Array<number>(8 - head.length - rest.length).fill(0), ...rest];
  return Buffer.from([...V6, ...all.flatMap((word) => [word >> 8, word & 0xff])]);
}

function words(groups: string): number[] {
  return groups === '' ? [] : groups.split(':').map((group) => Number.parseInt(group, 16));
}

function hexGroups(address: string): string {
  const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
  return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
}

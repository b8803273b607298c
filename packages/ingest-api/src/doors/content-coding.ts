/** Other names of a coding (RFC 9110, section 8.4.1.3). */
const ALIASES: Readonly<Record<string, string>> = { 'x-gzip': 'gzip' };

/**
 * The coding of a body, in the spelling that the decompressor knows: codings are compared without case, and `identity`
 * stands for none.
 *
 * @param header `Content-Encoding` as it was sent
 * @returns undefined for a body that is not encoded; the header itself when it names several codings
 */
export function contentCoding(header: string): string | undefined {
  const names = header
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '' && name !== 'identity');
  if (names.length > 1) return header;
  const [name] = names;
  return name === undefined ? undefined : (ALIASES[name] ?? name);
}

const ESCAPES = 'special characters in its password percent-encoded';

/**
 * Checks the URL of Redis for what ioredis would take differently from how it was meant. ioredis makes an option of each
 * parameter, and a database number of any path: `/abc` is database 0.
 *
 * @returns the end of the sentence "REDIS_URL …", without the value; null when nothing is wrong
 */
export function redisUrlProblem(url: string): string | null {
  if (!/^rediss?:\/\//.test(url)) {
    const socket = /^(?:\/|unix:|redis(?:s)?\+(?:unix|socket):|redis-socket:)/i.test(url);
    return `must be a URL that starts with redis:// or rediss://, ${socket ? 'not a Unix socket' : ESCAPES}`;
  }
  const [address = '', query = ''] = url.split(/\?(.*)/s);
  const host = address.slice(Math.max(address.lastIndexOf('@'), address.indexOf('//') + 1) + 1);
  if (host.includes(',')) return 'names several servers, and Sluice connects to one';
  if (/[\s#]/.test(url.trim()) || query.includes('@') || !isUrl(url)) return `must be a URL with ${ESCAPES}`;
  const path = new URL(url).pathname;
  if (/^.*\/.*@/.test(address.slice(address.indexOf('//') + 2))) return `must be a URL with ${ESCAPES}`;
  if (!/^(?:\/\d{0,9})?$/.test(path)) return 'must end with the number of a database, e.g. /0';
  // ioredis would take its default.
  if (new URL(url).port === '0') return 'must have a port from 1 to 65535';
  return parameterProblem(new URL(url).searchParams, path.length > 1);
}

function parameterProblem(parameters: URLSearchParams, hasNumber: boolean): string | null {
  for (const [name, value] of parameters) {
    if (name === 'family' && /^[046]$/.test(value) && parameters.getAll('family').length === 1) continue;
    if (name === 'db' && /^\d{1,9}$/.test(value) && !hasNumber && parameters.getAll('db').length === 1) continue;
    if (name === 'family') return 'has the parameter family, which must be one of 0, 4 and 6';
    if (name === 'db') return 'has the parameter db, which must be one number, and the only one';
    return `has ${/^\w{1,40}$/.test(name) ? `the parameter ${name}` : 'a parameter'}, which has no effect; rediss:// is TLS`;
  }
  return null;
}

/** Whether Node can read it, and ioredis its user and password. */
function isUrl(text: string): boolean {
  try {
    const { username, password } = new URL(text);
    decodeURIComponent(username + password);
    return true;
  } catch {
    return false;
  }
}

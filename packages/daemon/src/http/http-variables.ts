import { Type } from 'typebox';
import { boolean, integer, list, text } from '../config/variables.ts';

/**
 * Fewer characters than these are guessed within minutes to weeks, though one address has 30 tries a minute. 8 random letters and
 * digits take ten thousand addresses years.
 */
const FEWEST_KEY_CHARS = 8;

/** Whether an address to listen on is this machine's alone. @param host blank for the default, 127.0.0.1 */
function isLoopback(host = ''): boolean {
  return host.trim() === '' || /^(?:localhost|127(?:\.\d+){3}|\[?::1\]?)$/i.test(host.trim());
}

/** Variables of the daemons that clients and operators send requests to. */
export const httpVariables = {
  API_KEY: Type.Optional(
    text({
      unit: '-',
      secret: true,
      refuseEmpty: true,
      // Only what a header can carry: no client could send another key.
      pattern: '^[\\x21-\\x7e]+$',
      expected: 'printable ASCII without spaces, and not empty',
      check: (key, { HOST }) =>
        key.length < FEWEST_KEY_CHARS && !isLoopback(HOST)
          ? `must have ${FEWEST_KEY_CHARS} characters or more where HOST lets other machines in; use the output of openssl rand -hex 32`
          : null,
      description:
        'A key with every right, for the tenant `default`; 24 characters or more, so that it cannot be guessed. Fewer than 8 are refused unless HOST is this machine alone.',
    }),
  ),
  REQUIRE_KEYS: boolean({
    default: false,
    unit: '-',
    description: 'Never run open. With no key configured, only stored keys (`sluice keys create`) are accepted.',
  }),
  // Twice the maximum, plus the reads themselves, is within the 30 s that are promised.
  KEY_REFRESH_MS: integer({
    default: 10_000,
    minimum: 50,
    maximum: 12_000,
    unit: 'ms',
    description:
      'How often stored keys are read again and passed on. A revoked key stops working within twice this time.',
  }),
  CORS_ORIGINS: list({
    unit: 'list',
    default: '',
    item: '\\*|https?://[^/,]+',
    expected: '* or a list of origins such as https://app.example.com',
    description: 'Origins whose pages may read the answers. `*` for all.',
  }),
  ALLOWED_HOSTS: list({
    unit: 'list',
    default: '',
    item: '\\*|[A-Za-z0-9.-]+|\\[[0-9a-fA-F:.]+\\]',
    expected: '* or a list of names without ports such as sluice.example.com',
    description:
      'Host names that clients may use while the API runs open, beside `localhost`, `127.0.0.1`, `[::1]` and HOST; `*` for all. With keys every name is accepted.',
  }),
  TRUST_PROXY: list({
    unit: 'list',
    default: '',
    item: 'loopback|linklocal|uniquelocal|[0-9a-fA-F:.]+(/\\d{1,3})?',
    format: 'networks',
    expected: 'a list of addresses or networks such as 10.0.0.0/8',
    description: 'Proxies whose X-Forwarded-For is trusted for the client address.',
  }),
  MAX_EVENT_BYTES: integer({
    default: 256 * 1024,
    minimum: 256,
    maximum: 1024 * 1024,
    unit: 'bytes',
    description: 'Largest single event. A larger one is rejected; the rest of its batch is not.',
  }),
  REQUEST_TIMEOUT_MS: integer({
    default: 30_000,
    minimum: 100,
    maximum: 600_000,
    unit: 'ms',
    description: 'How long a client may take to send a whole request. Then the answer is 408.',
  }),
};

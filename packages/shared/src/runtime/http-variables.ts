import { Type } from 'typebox';
import { integer, text } from './variables.ts';

/** Variables of the daemons that clients and operators send requests to. */
export const httpVariables = {
  API_KEY: Type.Optional(
    text({
      unit: '-',
      secret: true,
      // What a header can carry; a key that no client can send would lock everybody out.
      pattern: '^[\\x21-\\x7e]+$',
      expected: 'printable ASCII without spaces, and not empty',
      description: 'A key with every right, for the tenant `default`.',
    }),
  ),
  MAX_EVENT_BYTES: integer({
    default: 256 * 1024,
    minimum: 256,
    maximum: 1024 * 1024,
    unit: 'bytes',
    description: 'Largest single event; a larger one is rejected, the rest of its batch is not.',
  }),
  REQUEST_TIMEOUT_MS: integer({
    default: 30_000,
    minimum: 100,
    maximum: 600_000,
    unit: 'ms',
    description: 'How long a client may take to send a whole request before the answer is 408.',
  }),
};

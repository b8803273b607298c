import { messageOf } from '@sluice/shared/errors/message-of';
import { isUtf8 } from 'node:buffer';
import secureJson from 'secure-json-parse';
import { ApiError } from '@sluice/shared/errors/api-errors';

/**
 * Parses a request body once; the bytes themselves go on to the stream.
 *
 * @returns the parsed value and its text, which later checks search instead of walking every string
 * @throws ApiError `invalid_encoding`, `malformed_json` or `forbidden_property`
 */
export function readBody(bytes: Buffer): { parsed: unknown; text: string } {
  if (!isUtf8(bytes)) throw new ApiError('invalid_encoding', 'The body is not valid UTF-8.');
  const text = bytes.toString();
  if (text.trim() === '') throw new ApiError('malformed_json', 'The body is empty; it must be JSON.');
  try {
    return { parsed: secureJson.parse(text, undefined, { protoAction: 'error', constructorAction: 'ignore' }), text };
  } catch (error) {
    const message = messageOf(error);
    if (/prototype property/.test(message)) {
      throw new ApiError('forbidden_property', 'The body has a property called __proto__.', { cause: error });
    }
    throw new ApiError('malformed_json', `The body is not JSON: ${message}`, { cause: error });
  }
}

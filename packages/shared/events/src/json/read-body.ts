import { isUtf8 } from 'node:buffer';
import { ApiError } from '@sluice/errors/api-errors';
import { messageOf } from '@sluice/errors/message-of';
import { MAX_BODY_VALUES, MAX_NESTING } from '../canonical-event.ts';
import { hasMoreValues } from './byte-limits.ts';
import { inspectValues } from './inspect-values.ts';

const BYTE_ORDER_MARK = Buffer.from('\uFEFF');

/**
 * From this size on, the values of a body are counted before it is parsed. JSON.parse needs 45 bytes for each open
 * bracket, and 80 for each empty object: 440 MB and 1.65 s for 16 MiB of `{},`, which are 45 bytes as brotli. Each
 * bracket is a value, so this limits what nesting costs too. For smaller bodies the count is not worth its time.
 */
const COUNT_FROM_BYTES = 256 * 1024;

/**
 * Parses a request body, once. The bytes themselves are put on the stream, without the byte order mark that some clients
 * send first. Nesting and `__proto__` are checked later, for each event.
 *
 * @param maxValues most values that the body may have
 * @param checkLarge what else a large body is checked for before it is parsed; it throws
 * @returns the parsed value and its text, which later checks search instead of walking every string
 * @throws ApiError `invalid_encoding`, `malformed_json` or `too_many_values`
 */
export function readBody(
  body: Buffer,
  maxValues = MAX_BODY_VALUES,
  checkLarge: (bytes: Buffer) => void = () => {},
): { bytes: Buffer; parsed: unknown; text: string } {
  const bytes = startsWithMark(body) ? body.subarray(BYTE_ORDER_MARK.length) : body;
  if (!isUtf8(bytes)) throw new ApiError('invalid_encoding', 'The body is not valid UTF-8.');
  // The decoder has skipped one mark; the writer's would not skip a second.
  if (startsWithMark(bytes)) throw new ApiError('malformed_json', 'The body starts with two byte order marks.');
  if (bytes.length > Math.min(COUNT_FROM_BYTES, 2 * maxValues)) {
    if (hasMoreValues(bytes, maxValues))
      throw new ApiError('too_many_values', `The body has more than ${maxValues} values.`);
    checkLarge(bytes);
  }
  const text = bytes.toString();
  if (text.trim() === '') throw new ApiError('malformed_json', 'The body is empty; it must be JSON.');
  try {
    return { bytes, parsed: JSON.parse(text) as unknown, text };
  } catch (error) {
    throw new ApiError('malformed_json', `The body is not JSON: ${messageOf(error)}`, { cause: error });
  }
}

function startsWithMark(bytes: Buffer): boolean {
  return bytes.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK);
}

/**
 * Refuses a request for what no part of its body may have. Doors leave the events out, which are rejected one by one.
 *
 * @param level nesting level of `value` itself; 0 for a body whose properties may be nested as deep as an event
 * @throws ApiError `nesting_too_deep` or `forbidden_property`
 */
export function refuseUnsafe(value: object, level: number): void {
  const problem = inspectValues(value, level);
  if (problem === 'nesting')
    throw new ApiError('nesting_too_deep', `Objects and arrays may be nested ${MAX_NESTING} deep.`);
  if (problem === 'property') throw new ApiError('forbidden_property', 'The body has a property called __proto__.');
}

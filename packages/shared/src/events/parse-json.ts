/**
 * Keeps the digits of whole numbers beyond 2^53. JSON.parse would round them; here such a number
 * becomes a raw JSON value that JSON.stringify writes as the client did.
 *
 * Costs one look at each number, so the writer only calls it for texts in which `hasLargeNumber` is true.
 * Longer literals than 400 characters are left as the float they are: jsonb takes at most 16,383 decimals.
 */
export function parseKeepingDigits(json: string): unknown {
  return JSON.parse(json, ((_key: string, value: unknown, context: { source?: string }) => {
    if (typeof value !== 'number' || Number.isSafeInteger(value) || Math.abs(value) < Number.MAX_SAFE_INTEGER) {
      return value;
    }
    const source = context.source;
    return source === undefined || source.length > 400 ? value : rawJson(source);
  }) as (key: string, value: unknown) => unknown);
}

/** The digits of a number that `parseKeepingDigits` kept; null for any other value. */
export function digitsOf(value: unknown): string | null {
  return isRawJson(value) ? value.rawJSON : null;
}

/** A number of sixteen digits or more, or one with an exponent, where JSON may have a number. */
const LARGE_NUMBER = /(?:^|[:,[\s])-?(?:\d{16}|\d+(?:\.\d+)?[eE])/;

/**
 * Says whether a JSON text may hold a number that JSON.parse rounds: a search of the text, several times cheaper than
 * `hasLargeNumber`'s walk over all values. What stands in strings may make it say so needlessly.
 */
export function maySpellLargeNumber(json: string): boolean {
  return LARGE_NUMBER.test(json);
}

/** Says whether a parsed value holds a number that JSON.parse may have rounded to a neighbour. */
export function hasLargeNumber(value: unknown): boolean {
  if (typeof value === 'number') return Math.abs(value) > Number.MAX_SAFE_INTEGER;
  if (typeof value !== 'object' || value === null) return false;
  for (const key in value) {
    if (hasLargeNumber((value as Record<string, unknown>)[key])) return true;
  }
  return false;
}

/** ECMAScript 2026, in Node 24; TypeScript's library has no types for it yet. */
const { rawJSON: rawJson, isRawJSON: isRawJson } = JSON as unknown as {
  rawJSON(this: void, text: string): object;
  isRawJSON(this: void, value: unknown): value is { rawJSON: string };
};

import { digitsOf } from './parse-json.ts';

/**
 * Postgres can hold neither U+0000 nor half a surrogate pair. Both arrive only as JSON escapes: raw, the first is not
 * JSON and the second is not UTF-8. So one search of the text decides whether the strings must be checked. An escaped
 * backslash before the `u` costs a needless check, no more.
 */
const UNSTORABLE_ESCAPE = /\\u(?:0000|[dD][89a-fA-F])/;

/** The flag of an event whose text was changed. */
export const CHARACTERS_REPLACED = 'characters_replaced';

/** Whether a JSON text may hold characters that Postgres cannot store. */
export function maySpellUnstorableText(json: string): boolean {
  return json.includes('\\u') && UNSTORABLE_ESCAPE.test(json);
}

/** Whether any key or string in a parsed value cannot be stored as it is. */
export function hasUnstorableText(value: unknown): boolean {
  if (typeof value === 'string') return value.includes('\0') || !value.isWellFormed();
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return value.some(hasUnstorableText);
  return Object.entries(value).some(([key, inner]) => hasUnstorableText(key) || hasUnstorableText(inner));
}

/** Copies a parsed JSON value with U+FFFD in place of every character that Postgres cannot store. */
export function replaceUnstorableText(value: unknown): unknown {
  if (typeof value === 'string') return storable(value);
  // A number with preserved digits is an object too, and would lose them in a copy.
  if (typeof value !== 'object' || value === null || digitsOf(value) !== null) return value;
  if (Array.isArray(value)) return value.map(replaceUnstorableText);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [storable(key), replaceUnstorableText(inner)]));
}

function storable(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\uFFFD');
}

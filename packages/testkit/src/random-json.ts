import type { Random } from './random.ts';

const TEXTS = [
  '',
  'a',
  'é',
  '€',
  '😀',
  '"',
  '\\',
  '\\"',
  '\u0000',
  '\ud800',
  '\n',
  '[',
  '{',
  ']',
  '}',
  ',',
  ':',
  'events',
];

/** Writes JSON text as no serializer does: odd white space, escapes, and duplicate keys. */
export function randomJson(random: Random, depth = 4): string {
  const space = (): string => random.list(2, () => random.pick([' ', '\n', '\t', '\r'])).join('');
  const value = (): string => `${space()}${randomJson(random, depth - 1)}${space()}`;
  const kind = depth <= 0 ? random.int(3) : random.int(6);
  if (kind === 0) return random.pick(['null', 'true', 'false', '0', '-0', '12345678901234567890', '1e-7', '-1.5E+3']);
  if (kind <= 2) return randomText(random);
  if (kind <= 4) return `{${random.list(4, () => `${space()}${randomKey(random)}${space()}:${value()}`).join(',')}}`;
  return `[${random.list(4, value).join(',') || space()}]`;
}

/**
 * A key: a text without a backslash. V8 mistakes a key that starts with an escape for a key `\` of an earlier
 * object (nodejs/node#63785), which would make these properties fail without a fault of ours.
 */
export function randomKey(random: Random): string {
  return randomText(
    random,
    TEXTS.filter((text) => !text.includes('\\')),
  );
}

/** A JSON string with characters written plainly, escaped, or as \u…. */
function randomText(random: Random, texts = TEXTS): string {
  const parts = random.list(4, () => {
    const text = random.pick(texts);
    if (random.int(2) === 0) return JSON.stringify(text).slice(1, -1);
    return Array.from({ length: text.length }, (_, at) => unicodeEscape(random, text.charCodeAt(at))).join('');
  });
  return `"${parts.join('')}"`;
}

function unicodeEscape(random: Random, unit: number): string {
  const digits = unit.toString(16).padStart(4, '0');
  return `\\u${random.int(2) === 0 ? digits : digits.toUpperCase()}`;
}

/**
 * Characters that control a terminal or that nobody sees in one: C0, DEL and C1, controls of writing direction, zero
 * widths, line separators, halves of surrogate pairs, and letters without a shape.
 */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0]|\u034f|\u17b4|\u17b5/gu;

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/**
 * Text from a client or a server as one line that is safe in a terminal. A character that would control the terminal, or
 * that would not be seen, becomes an escape such as `\u001b`.
 */
export function visible(text: string): string {
  return text.replaceAll(UNSEEN, (character) => SHORT[character] ?? escaped(character));
}

/**
 * Like `visible`, for text of several lines: line feeds and tabs stay. JSON text stays the same JSON: such characters are
 * only in its strings, where they are escaped in the same way.
 */
export function visibleLines(text: string): string {
  return text.replaceAll(UNSEEN, (character) =>
    character === '\n' || character === '\t' ? character : escaped(character),
  );
}

/** A character as JSON escapes it: one of more than 16 bits as two. */
function escaped(character: string): string {
  return character
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');
}

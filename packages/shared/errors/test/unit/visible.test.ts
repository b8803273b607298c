import { expect, it } from 'vitest';
import { visible, visibleLines } from '../../src/visible.ts';

/** Every character that a terminal obeys or does not show, by what it is. */
const UNSEEN: Readonly<Record<string, string>> = {
  'an escape sequence': '\u001b[2J',
  'a title (OSC 0)': '\u001b]0;title\u0007',
  'a link (OSC 8)': '\u001b]8;;https://example.com\u001b\\text',
  'the clipboard (OSC 52)': '\u001b]52;c;aGk=\u0007',
  'C0 and DEL': `${String.fromCharCode(...Array.from({ length: 32 }, (_, code) => code))}\u007f`,
  C1: String.fromCharCode(...Array.from({ length: 32 }, (_, code) => 0x80 + code)),
  'writing direction': '\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c',
  'zero width': '\u200b\u200c\u200d\u2060\ufeff\u00ad\u180e',
  'line separators': '\u2028\u2029',
  tags: '\u{e0001}\u{e0041}\u{e007f}',
  'half a pair': '\ud800x\udfff',
  'letters without a shape': '\u115f\u1160\u3164\uffa0\u034f',
};

const SEEN = 'plain, żółć, 日本語, 🎉, עברית, naïve ~ \u00a0';

it.each(Object.entries(UNSEEN))('escapes %s', (_name, text) => {
  for (const safe of [visible(text), visibleLines(text)]) {
    // oxlint-disable-next-line no-control-regex -- the test searches for these
    expect(safe.replaceAll(/[\n\t]/g, '')).not.toMatch(/[\u0000-\u001f\u007f-\u009f\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
    expect(safe).not.toBe('');
  }
  expect(visible(text)).not.toMatch(/\s(?<! )/);
});

it('leaves everything else as it is', () => {
  expect(visible(SEEN)).toBe(SEEN);
  expect(visibleLines(`${SEEN}\n\t${SEEN}`)).toBe(`${SEEN}\n\t${SEEN}`);
});

it('makes one line of several', () => {
  expect(visible('a\r\n\tb')).toBe(String.raw`a\r\n\tb`);
  expect(visibleLines('a\r\n\tb')).toBe('a\\u000d\n\tb');
});

it('leaves JSON the same JSON', () => {
  const value = Object.fromEntries(Object.values(UNSEEN).map((text) => [text, [text, { text }]]));
  for (const json of [JSON.stringify(value), JSON.stringify(value, null, 2)]) {
    expect(JSON.parse(visibleLines(json))).toEqual(value);
  }
});

import { describe, expect, it } from 'vitest';
import { forSeeds } from '@sluice/testkit/random';
import { indexedText } from '../../src/indexed-text.ts';

const bytes = (text: string): number => Buffer.byteLength(text);

describe.each([
  ['a', 1],
  ['é', 2],
  ['€', 3],
  ['😀', 4],
])('%s of %i bytes', (character, width) => {
  it('stays whole up to 512 bytes, and is cut between characters above', () => {
    const fitting = Math.floor(512 / width);
    for (const count of [1, fitting - 1, fitting]) {
      expect(indexedText(character.repeat(count))).toBe(character.repeat(count));
    }
    for (const count of [fitting + 1, fitting + 2, 2_000]) {
      expect(indexedText(character.repeat(count))).toBe(character.repeat(fitting));
    }
  });

  it.each([508, 509, 510, 511, 512, 513])('after %i bytes', (before) => {
    const cut = indexedText('x'.repeat(before) + character.repeat(3));
    expect(cut).toBe(
      'x'.repeat(Math.min(before, 512)) +
        character.repeat(Math.min(3, Math.max(0, Math.floor((512 - before) / width)))),
    );
  });
});

it('whatever the text: a beginning of it, of at most 512 bytes, to which no further character could be added', () => {
  forSeeds((random) => {
    const characters = Array.from({ length: random.int(700) }, () =>
      random.pick(['a', 'ß', '語', '👍', '\u0301', '\u007f']),
    );
    const text = characters.join('');
    const cut = indexedText(text);
    expect(text.startsWith(cut)).toBe(true);
    expect(cut.isWellFormed()).toBe(true);
    expect(bytes(cut)).toBeLessThanOrEqual(512);
    const next = text.codePointAt(cut.length);
    if (next !== undefined) expect(bytes(cut + String.fromCodePoint(next))).toBeGreaterThan(512);
  });
});

it('lone surrogates make no longer text', () => {
  expect(bytes(indexedText('\ud800'.repeat(600)))).toBeLessThanOrEqual(512);
});

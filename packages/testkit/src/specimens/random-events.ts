import { randomJson, randomKey } from '../random-json.ts';
import type { Random } from '../random.ts';

/** A text as a client may put it into a column: short, empty, in other scripts, or beyond what the column holds. */
export function randomText(random: Random): string {
  return random.pick([
    'ada',
    '',
    'Ærøskøbing 日本 😀',
    '"\\/\n',
    '/start?a=b#c',
    'ü'.repeat(300),
    'x'.repeat(513),
    '\0',
    '\ud800',
  ]);
}

/** A property with any value, under a name without a meaning in any source. */
export function property(random: Random): string {
  const name = JSON.stringify(`x ${String(JSON.parse(randomKey(random)))}`);
  return `${name}:${randomJson(random, 3)}`;
}

/** The given properties, in a random order. */
export function inRandomOrder(random: Random, properties: readonly (string | null)[]): string[] {
  return properties
    .filter((each) => each !== null)
    .map((each) => ({ each, order: random.int(1_000) }))
    .toSorted((a, b) => a.order - b.order)
    .map(({ each }) => each);
}

/** A JSON object of these properties. */
export function jsonObject(properties: readonly string[]): string {
  return `{${properties.join(',')}}`;
}

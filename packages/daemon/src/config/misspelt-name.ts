import { distance } from 'fastest-levenshtein';

/** A shorter name has too many neighbours that other programs use: `HOST` and `POST`. */
const SHORTEST = 6;
/** From this length on, two wrong letters still tell which name was meant. */
const LONG = 12;
/** Variables of one daemon that look like a misspelt one of another. A test finds what is missing here. */
const OF_OTHER_DAEMONS: ReadonlySet<string> = new Set(['API_KEYS']);

/**
 * The variable that somebody meant who wrote `name`: one with a letter too many, too few or wrong, with two letters
 * exchanged, or in other case. A short name with a wrong letter is another program's: `APP_KEY` is none of `API_KEY`.
 *
 * @param known names of variables, in capitals
 * @returns null when `name` is one of them, or near to none
 */
export function meantName(name: string, known: readonly string[]): string | null {
  if (known.includes(name) || OF_OTHER_DAEMONS.has(name)) return null;
  const word = name.toUpperCase();
  const near = known.filter((each) => each.length >= SHORTEST && isNear(word, each));
  return near.toSorted((one, other) => distance(word, one) - distance(word, other))[0] ?? null;
}

function isNear(word: string, known: string): boolean {
  const wrong = distance(word, known);
  if (wrong <= 1) return wrong === 0 || word.length !== known.length || known.length > 8;
  return wrong === 2 && (known.length >= LONG || isExchanged(word, known));
}

/** Whether two neighbouring letters are exchanged, and nothing else differs. */
function isExchanged(word: string, known: string): boolean {
  let at = 0;
  while (word[at] === known[at] && at < known.length) at += 1;
  return word.length === known.length && word[at] === known[at + 1] && word[at + 1] === known[at];
}

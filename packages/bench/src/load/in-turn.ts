/** The items of a round, each round beginning with another one, so that none is always the first or behind the same. */
export function inTurn<T>(items: readonly T[], round: number): T[] {
  const from = round % items.length;
  return [...items.slice(from), ...items.slice(0, from)];
}

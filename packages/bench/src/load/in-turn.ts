/** Rotates the items of a round, so that none is always the first. */
export function inTurn<T>(items: readonly T[], round: number): T[] {
  const from = round % items.length;
  return [...items.slice(from), ...items.slice(0, from)];
}

/** Characters of payload in one group: a few milliseconds of work. */
const GROUP_CHARS = 256 * 1024;

/** Divides rows into groups that are encoded in one go, so that the event loop is never blocked for long. */
export function* inGroups<Row extends { readonly payload: string }>(rows: readonly Row[]): Generator<readonly Row[]> {
  let group: Row[] = [];
  let chars = 0;
  for (const row of rows) {
    group.push(row);
    chars += row.payload.length;
    if (chars < GROUP_CHARS) continue;
    yield group;
    group = [];
    chars = 0;
  }
  if (group.length > 0) yield group;
}

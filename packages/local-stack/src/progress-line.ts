const NAME_WIDTH = 20;

/** One line of progress about a part of the stack, its name in a column: `ingest-api        ready  http://…`. */
export function progressLine(name: string, text: string): string {
  return `${name.padEnd(NAME_WIDTH)}${text}`;
}

/** Rows of a page's tables whose first cell is code, as trimmed cells. */
export function tableRows(markdown: string): string[][] {
  return markdown
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

/** Order for comparing rows, or pairs, by their first cell. */
export function byFirstCell([a = '']: unknown[], [b = '']: unknown[]): number {
  return String(a).localeCompare(String(b));
}

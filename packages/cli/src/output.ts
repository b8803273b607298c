import Table from 'cli-table3';
import { visible, visibleLines } from '@sluice/errors/visible';

/**
 * A command's output: results go to standard output, notes about them to standard error. Everything is made visible
 * here, because answers quote what clients sent: no character of them may control the terminal.
 */
export interface Output {
  readonly json: boolean;
  /** True when standard output is a terminal. */
  readonly terminal: boolean;
  /** Writes a result: as JSON with --json, else as the text for people. */
  result(value: unknown, text: string): void;
  /** Writes a line that is not the result. */
  note(line: string): void;
}

export function createOutput(json: boolean): Output {
  return {
    json,
    terminal: process.stdout.isTTY,
    result: (value, text) => process.stdout.write(`${visibleLines(json ? JSON.stringify(value) : text)}\n`),
    note: (line) => process.stderr.write(`${visibleLines(line)}\n`),
  };
}

/** Formats rows under headings. Cells are cut so that a row stays one line of the terminal. */
export function formatTable(
  headings: readonly string[],
  rows: readonly (readonly unknown[])[],
  width = process.stdout.columns || 140,
): string {
  if (rows.length === 0) return '(none)';
  const cells = rows.map((row) => row.map((cell) => oneLine(cell)));
  const widest = Math.max(12, Math.floor((width - 3 * headings.length) / 3));
  const table = new Table({ head: [...headings], style: { head: [], border: [], compact: true } });
  table.push(...cells.map((row) => row.map((cell) => (cell.length > widest ? `${cell.slice(0, widest - 1)}…` : cell))));
  return table.toString();
}

/** Formats facts, one a line: the name, then the value as text or JSON. Those without a value are left out. */
export function formatFacts(facts: readonly (readonly [name: string, value: unknown])[]): string[] {
  const width = Math.max(...facts.map(([name]) => name.length));
  return facts
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([name, value]) => `${name.padEnd(width)}  ${visible(textOf(value))}`);
}

/** The line below a page that is not the last one. */
export function formatMore(cursor: string | null): string {
  return cursor === null ? '' : `\nThere are more: add --cursor ${visible(cursor)}`;
}

function oneLine(cell: unknown): string {
  if (cell === null || cell === undefined) return '–';
  return visible((typeof cell === 'number' ? cell.toLocaleString('en') : textOf(cell)).replaceAll(/\s+/g, ' '));
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Seconds as people say them: `42 s`, `3 min 5 s`, `2 h 10 min`. */
export function formatSeconds(seconds: number | null): string {
  if (seconds === null) return '–';
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const [minutes, hours] = [Math.floor(whole / 60), Math.floor(whole / 3_600)];
  if (hours === 0) return whole % 60 === 0 ? `${minutes} min` : `${minutes} min ${whole % 60} s`;
  return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
}

/** Bytes in the largest unit that leaves at least one of it. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log(bytes) / Math.log(1024)));
  return `${(bytes / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { tableRows } from './table-rows.ts';

const REFERENCE = resolve(import.meta.dirname, '../../docs/reference');

const DAEMONS = ['ingest-api', 'query-api', 'writer-worker', 'maintenance-worker'];

/** A row of the table of spans. */
export interface ListedSpan {
  /** With what varies in braces: `run {job}`. */
  readonly name: string;
  readonly kind: string;
  /** As the table has it: `all`, `all but one`, or a list. */
  readonly daemon: string;
  readonly meaning: string;
}

/** A row of the table of metrics. */
export interface ListedMetric {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
  readonly daemon: string;
  readonly meaning: string;
}

export function listedSpans(): ListedSpan[] {
  return rowsOf('spans.md', 'spans', 4).map(([name, kind, daemon, meaning]) => ({
    name: unquoted(name!),
    kind: kind!,
    daemon: daemon!,
    meaning: meaning!,
  }));
}

export function listedMetrics(): ListedMetric[] {
  return rowsOf('metrics.md', 'metrics', 5).map(([name, type, labels, daemon, meaning]) => ({
    name: unquoted(name!),
    type: type!,
    labels: labels === '' ? [] : labels!.split(', '),
    daemon: daemon!,
    meaning: meaning!,
  }));
}

/** Names of the attributes of Sluice's own spans. */
export function listedAttributes(): string[] {
  return rowsOf('spans.md', 'attributes', 3).map(([name]) => unquoted(name!));
}

/** The daemons that a cell of the tables names. */
export function daemonsOf(cell: string): string[] {
  if (cell === 'all') return DAEMONS;
  const but = /^all but (.+)$/.exec(cell)?.[1];
  const named = (but ?? cell).split(', ');
  for (const name of named) if (!DAEMONS.includes(name)) throw new Error(`${name} is no daemon`);
  return but === undefined ? named : DAEMONS.filter((name) => !named.includes(name));
}

/** Cells of the table after `<!-- name -->` of a page. */
function rowsOf(file: string, table: string, cells: number): string[][] {
  const page = readFileSync(join(REFERENCE, file), 'utf8');
  const rows = tableRows(page.split(`<!-- ${table} -->\n`)[1]?.split('\n## ')[0] ?? '');
  for (const row of rows)
    if (row.length !== cells) throw new Error(`a row of ${table} has ${row.length} cells: ${row[0]}`);
  return rows;
}

function unquoted(cell: string): string {
  return cell.replaceAll('`', '');
}

import { stringify } from 'csv-stringify/sync';
import { toWire } from '@sluice/events/adapters/to-wire';
import type { ManifestColumn } from '@sluice/exports/manifest';
import type { ExportRow } from './export-row.ts';
import { inGroups } from './in-groups.ts';
import type { FileFormat } from './row-format.ts';

/** The columns of CSV, in their order. */
export const CSV_COLUMNS: readonly ManifestColumn[] = [
  { name: 'id', type: 'integer' },
  { name: 'event_id', type: 'text' },
  { name: 'event_type', type: 'text' },
  { name: 'session_id', type: 'text' },
  { name: 'visitor_id', type: 'text' },
  { name: 'site_id', type: 'text' },
  { name: 'timestamp', type: 'timestamp' },
  { name: 'url', type: 'text' },
  { name: 'path', type: 'text' },
  { name: 'raw_event_data', type: 'json' },
];

/**
 * Writes RFC 4180 with a header and line feeds.
 *
 * @param escapeFormulas whether a cell that a spreadsheet would run as a formula (it begins with = + - @, a tab or a
 *   carriage return) gets a `'` in front; `raw_event_data` is JSON and begins with a brace, so it never does
 */
export function csvFormat({ escapeFormulas }: { readonly escapeFormulas: boolean }): FileFormat<ExportRow> {
  return {
    extension: '.csv',
    columns: CSV_COLUMNS,
    open: () => ({
      begin: () => [Buffer.from(`${CSV_COLUMNS.map(({ name }) => name).join(',')}\n`)],
      *add(rows, firstId) {
        let id = firstId;
        for (const group of inGroups(rows)) {
          const cells = group.map((row, at) => cellsOf(row, id + at));
          id += group.length;
          yield Buffer.from(stringify(cells, { escape_formulas: escapeFormulas }));
        }
      },
      end: () => [],
    }),
  };
}

function cellsOf(row: ExportRow, id: number): readonly (string | number | null)[] {
  const wire = toWire(row);
  const { event_id, event_type, session_id, actor, tenant, occurred_at } = row;
  const page = [text(wire['url']), text(wire['path'])];
  return [id, event_id, event_type, session_id, actor, tenant, occurred_at, ...page, JSON.stringify(wire)];
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

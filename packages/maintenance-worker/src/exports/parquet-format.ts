import { toWire } from '@sluice/events/adapters/to-wire';
import { epochMicroseconds, type ExportRow } from './export-row.ts';
import { inGroups } from './in-groups.ts';
import { openParquetFile, type ParquetColumn } from './parquet-file.ts';
import type { FileFormat } from './row-format.ts';

/** A row with its wire shape, which several columns read. */
interface WireRow {
  readonly row: ExportRow;
  readonly wire: Readonly<Record<string, unknown>>;
}

/** The columns of CSV with their types, and five more. */
const COLUMNS: readonly ParquetColumn<WireRow>[] = [
  { name: 'id', type: 'integer', required: true, value: (_, id) => BigInt(id) },
  { name: 'event_id', type: 'text', required: true, value: ({ row }) => row.event_id },
  { name: 'event_type', type: 'text', required: true, value: ({ row }) => row.event_type },
  { name: 'session_id', type: 'text', value: ({ row }) => row.session_id },
  { name: 'visitor_id', type: 'text', value: ({ row }) => row.actor },
  { name: 'site_id', type: 'text', required: true, value: ({ row }) => row.tenant },
  { name: 'timestamp', type: 'timestamp', required: true, value: ({ row }) => epochMicroseconds(row.occurred_at) },
  { name: 'url', type: 'text', value: ({ wire }) => text(wire['url']) },
  { name: 'path', type: 'text', value: ({ wire }) => text(wire['path']) },
  { name: 'raw_event_data', type: 'json', required: true, value: ({ wire }) => JSON.stringify(wire) },
  { name: 'correlation_id', type: 'text', value: ({ row }) => row.correlation_id },
  { name: 'resource', type: 'text', value: ({ row }) => row.resource },
  { name: 'source', type: 'text', required: true, value: ({ row }) => row.source },
  { name: 'received_at', type: 'timestamp', required: true, value: ({ row }) => epochMicroseconds(row.received_at) },
  { name: 'stored_at', type: 'timestamp', required: true, value: ({ row }) => epochMicroseconds(row.stored_at) },
];

/** Writes typed columns; `raw_event_data` is the event in its wire shape, as JSON text. */
export const parquetFormat: FileFormat<ExportRow> = {
  extension: '.parquet',
  columns: COLUMNS.map(({ name, type }) => ({ name, type })),
  open() {
    const file = openParquetFile(COLUMNS);
    return {
      ...file,
      *add(rows, firstId) {
        let id = firstId;
        for (const group of inGroups(rows)) {
          const wired = group.map((row) => ({ row, wire: toWire(row) }));
          yield* file.add(wired, id);
          id += group.length;
        }
      },
    };
  },
};

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

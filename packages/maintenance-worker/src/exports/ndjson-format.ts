import { toWire } from '@sluice/events/adapters/to-wire';
import type { ExportRow } from './export-row.ts';
import { inGroups } from './in-groups.ts';
import type { FileFormat } from './row-format.ts';

/** Writes one event a line, in the wire shape it came in. */
export const ndjsonFormat: FileFormat<ExportRow> = {
  extension: '.ndjson',
  columns: null,
  open: () => ({
    begin: () => [],
    *add(rows) {
      for (const group of inGroups(rows)) {
        yield Buffer.from(group.map((row) => `${JSON.stringify(toWire(row))}\n`).join(''));
      }
    },
    end: () => [],
  }),
};

import { toWire } from '@sluice/events/adapters/to-wire';
import type { ExportRow } from './export-row.ts';
import { inGroups } from './in-groups.ts';
import type { FileFormat } from './row-format.ts';

/**
 * Writes one object: `{"export_metadata":{…},"events":[…],"event_count":n}`. Each event is on a line of its own, so
 * that the file can be written and verified row by row. The count is last, because only then it is known.
 */
export function jsonFormat(metadata: Readonly<Record<string, unknown>>): FileFormat<ExportRow> {
  return {
    extension: '.json',
    columns: null,
    open() {
      let count = 0;
      return {
        begin: () => [Buffer.from(`{"export_metadata":${JSON.stringify(metadata)},"events":[\n`)],
        *add(rows) {
          for (const group of inGroups(rows)) {
            const lines = group.map((row, at) => `${count + at === 0 ? '' : ',\n'}${JSON.stringify(toWire(row))}`);
            count += group.length;
            yield Buffer.from(lines.join(''));
          }
        },
        end: () => [Buffer.from(`\n],"event_count":${count}}\n`)],
      };
    },
  };
}

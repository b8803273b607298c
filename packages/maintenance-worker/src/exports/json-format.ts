import { toWire } from '@sluice/events/adapters/to-wire';
import type { ExportRow } from './export-row.ts';
import type { FileFormat } from './row-format.ts';

/**
 * One object: `{"export_metadata":{…},"events":[…],"event_count":n}`, each event on a line of its own, so that it can be
 * written, and checked, without ever being held. What is only known at the end stands at the end.
 */
export function jsonFormat(metadata: Readonly<Record<string, unknown>>): FileFormat<ExportRow> {
  return {
    extension: '.json',
    columns: null,
    open() {
      let count = 0;
      return {
        begin: () => [Buffer.from(`{"export_metadata":${JSON.stringify(metadata)},"events":[\n`)],
        add(rows) {
          const lines = rows.map((row, at) => `${count + at === 0 ? '' : ',\n'}${JSON.stringify(toWire(row))}`);
          count += rows.length;
          return [Buffer.from(lines.join(''))];
        },
        end: () => [Buffer.from(`\n],"event_count":${count}}\n`)],
      };
    },
  };
}

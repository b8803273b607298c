import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { INGEST_VARIABLES } from '@sluice/ingest-api/config';
import { MAINTENANCE_VARIABLES } from '@sluice/maintenance-worker/config';
import { QUERY_VARIABLES } from '@sluice/query-api/config';
import { WRITER_VARIABLES } from '@sluice/writer-worker/config';
import { byFirstCell, tableRows } from './table-rows.ts';

const readme = readFileSync(resolve(import.meta.dirname, '../../README.md'), 'utf8');

interface Variable {
  default?: string | number;
  unit: string;
  description: string;
}

const SCHEMAS = {
  ingest: INGEST_VARIABLES,
  writer: WRITER_VARIABLES,
  maintenance: MAINTENANCE_VARIABLES,
  query: QUERY_VARIABLES,
};

/** What the table's row of each variable must say. */
function expectedRows(): string[][] {
  const daemons = new Map<string, string[]>();
  const variables = new Map<string, Variable>();
  for (const [daemon, schema] of Object.entries(SCHEMAS)) {
    for (const [name, variable] of Object.entries(schema.properties)) {
      daemons.set(name, [...(daemons.get(name) ?? []), daemon]);
      variables.set(name, variable as Variable);
    }
  }
  return [...variables].map(([name, { default: preset, unit, description }]) => [
    `\`${name}\``,
    preset === undefined || preset === '' ? '–' : `\`${preset}\``,
    unit === '-' ? '–' : unit,
    daemons.get(name)!.length === Object.keys(SCHEMAS).length ? 'all' : daemons.get(name)!.join(', '),
    description,
  ]);
}

it('the table of the README has every variable of every daemon, with its default and unit, and no other', () => {
  const section = readme.split('## Configuration\n')[1]?.split('\n## ')[0] ?? '';
  const table = section.split('\n### ')[0] ?? '';
  const rows = tableRows(table);
  expect(rows.toSorted(byFirstCell)).toEqual(expectedRows().toSorted(byFirstCell));
});

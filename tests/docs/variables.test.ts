import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { expect, it } from 'vitest';
import { INGEST_VARIABLES, readIngestConfig } from '@sluice/ingest-api/config';
import { MAINTENANCE_VARIABLES, readMaintenanceConfig } from '@sluice/maintenance-worker/config';
import { QUERY_VARIABLES, readQueryConfig } from '@sluice/query-api/config';
import { readWriterConfig, WRITER_VARIABLES } from '@sluice/writer-worker/config';
import {
  CONFIGURATION_PAGE,
  ENVIRONMENT_EXAMPLE,
  makeConfigurationPage,
  makeEnvironmentExample,
} from '../../scripts/make-configuration-reference.ts';
import { byFirstCell, tableRows } from './table-rows.ts';

const page = readFileSync(CONFIGURATION_PAGE, 'utf8');
const example = readFileSync(ENVIRONMENT_EXAMPLE, 'utf8');

interface Variable {
  default?: string | number;
  unit: string;
  description: string;
}

const SCHEMAS = {
  'ingest-api': INGEST_VARIABLES,
  'writer-worker': WRITER_VARIABLES,
  'maintenance-worker': MAINTENANCE_VARIABLES,
  'query-api': QUERY_VARIABLES,
};

/** What the row of each variable must say: name, default, unit, readers, meaning. */
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
    name === 'DATABASE_URL' ? 'required' : preset === undefined || preset === '' ? '–' : `\`${preset}\``,
    unit,
    daemons.get(name)!.join(', '),
    description,
  ]);
}

/** The rows of the page in the same form. */
function documentedRows(): string[][] {
  const [, ...sections] = page.split('\n## Local stack')[0]!.split('\n## ');
  return sections.flatMap((section) => {
    const heading = section.slice(0, section.indexOf('\n')).replace(' and ', ', ');
    const readers = heading === 'All daemons' ? Object.keys(SCHEMAS).join(', ') : heading;
    return tableRows(section).map(([name = '', type = '', preset = '', , description = '']) => [
      name,
      preset,
      type.startsWith('list') ? 'list' : (type.split(', ').filter((part) => part !== 'secret')[1] ?? '-'),
      readers,
      description,
    ]);
  });
}

it('docs/reference/configuration.md and .env.example are what the schemas make (pnpm reference)', () => {
  expect(page).toBe(makeConfigurationPage());
  expect(example).toBe(makeEnvironmentExample());
});

it('the page has every variable of every daemon, with its default, unit and readers, and no other', () => {
  expect(documentedRows().toSorted(byFirstCell)).toEqual(expectedRows().toSorted(byFirstCell));
});

it('every variable says what values it may have', () => {
  for (const [name, , , allowed] of tableRows(page.split('\n## Local stack')[0]!)) expect(allowed, name).toMatch(/\w/);
});

it('.env.example names every variable, and what it sets is what the daemons take without it', () => {
  const set = parseEnv(example.replaceAll(/^#(?=[A-Z0-9_]+=)/gm, ''));
  const names = Object.values(SCHEMAS).flatMap((schema) => Object.keys(schema.properties));
  expect(Object.keys(set).toSorted()).toEqual([...new Set(names)].toSorted());
  expect(parseEnv(example)).toEqual({});

  const mayBeEmpty = new Set(['CORS_ORIGINS', 'TRUST_PROXY', 'COLLECT_SITES']);
  const given = Object.fromEntries(Object.entries(set).filter(([name, value]) => value !== '' || mayBeEmpty.has(name)));
  const database = { DATABASE_URL: 'postgres://nobody/nothing' };
  for (const read of [readIngestConfig, readWriterConfig, readMaintenanceConfig, readQueryConfig])
    expect(asJson(read({ ...given, ...database }))).toEqual(asJson(read(database)));
});

/** Removes properties that hold functions. */
function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

it('the table of the tools names every variable that the local stack and the command line read', () => {
  const names = page
    .split('\n## Local stack')[1]!
    .split('\n## ')[0]!
    .match(/`[A-Z_]+`/g)!;
  const documented = new Set(names.map((name) => name.slice(1, -1)));
  const sources = ['cli/src/config.ts', 'local-stack/src/config.ts'].map((file) =>
    readFileSync(resolve(import.meta.dirname, '../../packages', file), 'utf8'),
  );
  const read = sources.flatMap((source) => [...source.matchAll(/\['([A-Z_]+)'\]/g)].map(([, name]) => name!));
  expect(read.length).toBeGreaterThan(5);
  // Set by pnpm and npm, not by people.
  expect(read.filter((name) => !documented.has(name) && name !== 'INIT_CWD')).toEqual([]);
});

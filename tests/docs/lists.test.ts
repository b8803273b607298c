import { expect, it } from 'vitest';
import { SCOPES } from '@sluice/access/scopes';
import { INGEST_VARIABLES } from '@sluice/ingest-api/config';
import { MAINTENANCE_VARIABLES } from '@sluice/maintenance-worker/config';
import { QUERY_VARIABLES } from '@sluice/query-api/config';
import { MIGRATIONS } from '@sluice/store/migrations/migrations';
import { DURABILITY_LEVELS } from '@sluice/stream/durability';
import { WRITER_VARIABLES } from '@sluice/writer-worker/config';
import { FAULTS } from '../faults/all-faults.ts';
import { readPage } from './markdown-files.ts';
import { tableRows } from './table-rows.ts';

it('docs/understand/data-model.md has every table, and no other', () => {
  const [, section = ''] = readPage('docs/understand/data-model.md').text.split('\n## ');
  const listed = tableRows(section).flatMap(([names = '']) => names.replaceAll('`', '').split(', '));
  const statements = MIGRATIONS.flatMap((migration) => migration.statements);
  const tables = new Set(['sluice_migrations']);
  for (const statement of statements) {
    const [, verb, name] = /^\s*(CREATE|DROP) TABLE (\w+)/.exec(statement) ?? [];
    if (verb === 'CREATE') tables.add(name!);
    if (verb === 'DROP') tables.delete(name!);
  }
  expect(tables.size).toBeGreaterThan(15);
  expect(listed.toSorted()).toEqual([...tables].toSorted());
});

it('docs/understand/faults.md has every fault of the harness, in its order', () => {
  const rows = readPage('docs/understand/faults.md').text.matchAll(/^\| ([a-z0-9-]+) \| 1 \|/gm);
  expect([...rows].map(([, name]) => name)).toEqual(FAULTS.map(({ name }) => name));
});

it('docs/guide/keys.md has every scope', () => {
  const rows = tableRows(readPage('docs/guide/keys.md').text).map(([scope = '']) => scope.replaceAll('`', ''));
  expect(rows).toEqual([...SCOPES]);
});

it('docs/understand/architecture.md says what each durability is', () => {
  const [, section = ''] = readPage('docs/understand/architecture.md').text.split('\n## What a 202 means\n');
  const rows = tableRows(section.split('\n## ')[0]!).map(([level = '']) => level.replaceAll('`', ''));
  expect(rows).toEqual([...DURABILITY_LEVELS]);
});

it('the README names the ports that the daemons listen on', () => {
  const ports = {
    ingest: INGEST_VARIABLES.properties.INGEST_PORT,
    query: QUERY_VARIABLES.properties.QUERY_PORT,
    writer: WRITER_VARIABLES.properties.WRITER_PORT,
    maintenance: MAINTENANCE_VARIABLES.properties.MAINTENANCE_PORT,
  };
  const named = Object.entries(ports).map(([daemon, port]) => `${(port as { default?: number }).default} ${daemon}`);
  expect(readPage('README.md').text).toContain(`**Ports.** ${named.join(', ')}.`);
});

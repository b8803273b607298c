import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import type { Door } from '@sluice/events/adapters/door';
import { DOORS } from '@sluice/events/adapters/doors';
import type { KeyPlace } from '@sluice/events/adapters/key-places';
import { ADAPTERS } from '@sluice/events/adapters/registry';
import { SPECIMENS } from '@sluice/testkit/specimens/specimens';
import { tableRows } from './table-rows.ts';

const root = resolve(import.meta.dirname, '../..');
const [sources = '', doors = '', columns = ''] = readFileSync(resolve(root, 'docs/reference/sources.md'), 'utf8').split(
  '\n## ',
);

const code = (text: string): string => `\`${text}\``;

/** What the table says of a place for keys. */
function placeName(place: KeyPlace): string {
  switch (place.in) {
    case 'header':
      return `header ${code(place.name)}`;
    case 'bearer':
      return 'bearer token';
    case 'basic':
      return 'user name of Basic authentication';
    case 'query':
      return `query parameter ${code(place.name)}`;
    case 'body':
      return `property ${code(place.name)} of the body`;
  }
  return '';
}

function rowOf(door: Door): string[] {
  const { adapter } = SPECIMENS.find((specimen) => specimen.doors.some((each) => each.door === door))!;
  const keys = door.keys.map(placeName).join(', ');
  return [
    code(`${door.method} ${door.path}`),
    code(adapter.source),
    door.mediaTypes.map(code).join(', ') || '–',
    door.sites ? `${keys}, or a site of COLLECT_SITES` : keys,
    door.method === 'GET' ? '–' : { batch: 'MAX_BODY_BYTES', event: 'MAX_EVENT_BYTES' }[door.bodyLimit],
  ];
}

it('docs/reference/sources.md has a row for every adapter, and no other', () => {
  expect(tableRows(sources).map(([source, , , folder]) => [source, folder])).toEqual(
    ADAPTERS.map(({ source }) => [code(source), code(`packages/shared/events/src/adapters/${source}`)]),
  );
});

it('docs/reference/sources.md has a row for every door, with its media types, keys and limit, and no other', () => {
  expect(tableRows(doors)).toEqual(DOORS.map(rowOf));
});

it('docs/reference/sources.md says of every source where its columns come from', () => {
  const header = columns.split('\n').find((line) => line.startsWith('| column'));
  expect(header).toBe(`| column | ${ADAPTERS.map(({ source }) => `from ${code(source)}`).join(' | ')} |`);
});

import { expect, it } from 'vitest';
import { FLOORS, readPackages } from '../../scripts/packages.ts';
import { readPage } from './markdown-files.ts';

const packages = readPackages();

/** Packages by the line of the picture that names them, top down: `shared/stream`, without explanations in brackets. */
function drawnRows(): string[][] {
  const [, picture = ''] = /```\n( what starts[^]*?)```/.exec(readPage('docs/understand/architecture.md').text) ?? [];
  return picture
    .replaceAll(/\([^)]*\)/g, (explained) => explained.replaceAll(/[^\n]/g, ' '))
    .split('\n')
    .map((line) => line.slice(' what starts '.length).match(/[a-z][a-z/-]*/g) ?? [])
    .filter((names) => names.length > 0);
}

const drawnName = (folder: string): string => folder.replace('packages/', '');

it('the picture of docs/understand/architecture.md has every package once, and no other', () => {
  expect(drawnRows().flat().toSorted()).toEqual(packages.map(({ folder }) => drawnName(folder)).toSorted());
});

it('the picture draws every package of the floors above all that it needs', () => {
  const rows = new Map(drawnRows().flatMap((names, row) => names.map((name) => [name, row] as const)));
  const row = (name: string): number =>
    rows.get(drawnName(packages.find((each) => each.name === name)?.folder ?? '')) ?? Number.NaN;
  const onFloors = packages.filter(({ name }) => FLOORS.flat().includes(name));
  const needs = onFloors.flatMap(({ name, needs: below }) => below.map((need) => [name, need] as const));
  expect(needs.length).toBeGreaterThan(20);
  expect(needs.filter(([name, need]) => !(row(name) < row(need)))).toEqual([]);
});

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { API_ERRORS } from '@sluice/errors/api-errors';
import { REJECTIONS } from '@sluice/events/adapters/event-adapter';
import { CHARACTERS_REPLACED } from '@sluice/events/json/unstorable-text';
import { DESTINATION_PROBLEMS } from '@sluice/exports/destination';
import { RUN_PROBLEMS } from '@sluice/maintenance-worker/exports/run-error';
import { DEAD_LETTER_REASONS } from '@sluice/store/dead-letter-reasons';
import { byFirstCell, tableRows } from './table-rows.ts';

const page = readFileSync(resolve(import.meta.dirname, '../../docs/reference/errors.md'), 'utf8');

/** Reads the rows of all tables below a heading, as cells. */
function rowsUnder(heading: string): string[][] {
  const section = page.split(`## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  return tableRows(section);
}

it('docs/reference/errors.md lists exactly the codes of the daemons’ answers, their status and meaning', () => {
  const documented = rowsUnder('Answers to a request').map(([code, status, meaning]) => [code, status, meaning]);
  const inCode = Object.entries(API_ERRORS).map(([code, { status, meaning }]) => [
    `\`${code}\``,
    String(status),
    meaning,
  ]);
  expect(documented.toSorted(byFirstCell)).toEqual(inCode.toSorted(byFirstCell));
});

it('every error says what to do', () => {
  for (const [code, , , advice] of rowsUnder('Answers to a request')) expect(advice, code).toMatch(/\w{3}/);
});

it('docs/reference/errors.md lists exactly the reasons for which an event is rejected', () => {
  const inCode = Object.entries(REJECTIONS).map(([code, meaning]) => [`\`${code}\``, meaning]);
  expect(rowsUnder('Why an event is rejected').toSorted(byFirstCell)).toEqual(inCode.toSorted(byFirstCell));
  expect(rowsUnder('Warnings').map(([code]) => code)).toEqual([`\`${CHARACTERS_REPLACED}\``]);
});

it('docs/reference/errors.md lists exactly the reasons of dead letters', () => {
  const inCode = Object.entries(DEAD_LETTER_REASONS).map(([code, meaning]) => [`\`${code}\``, meaning]);
  expect(rowsUnder('Why something became a dead letter').toSorted(byFirstCell)).toEqual(inCode.toSorted(byFirstCell));
});

it('docs/reference/errors.md lists exactly why an export can fail', () => {
  const ofDestinations = Object.entries(DESTINATION_PROBLEMS).map(([code, { meaning }]) => [`\`${code}\``, meaning]);
  const ofRuns = Object.entries(RUN_PROBLEMS).map(([code, meaning]) => [`\`${code}\``, meaning]);
  const documented = rowsUnder('Why an export failed').map(([code, meaning]) => [code, meaning]);
  expect(documented.toSorted(byFirstCell)).toEqual([...ofDestinations, ...ofRuns].toSorted(byFirstCell));
});

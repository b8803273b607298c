import { expect, it } from 'vitest';
import { queryTable } from '../../src/query/query-table.ts';

const RESULT = {
  rows: 1_000,
  writerEventsPerSecond: 0,
  figures: [
    {
      question: 'a page',
      asked: 10,
      p50: 1,
      p95: 30,
      goal: 25,
      seedsSay: null,
      peerAsked: 0,
      peerP50: null,
      peerP95: null,
      timesFaster: [],
    },
  ],
};

it('says whether a goal is met, but not of a quick run', () => {
  expect(queryTable(RESULT, { judge: true })).toContain('| 25 missed |');
  expect(queryTable(RESULT, { judge: false })).not.toContain('missed');
});

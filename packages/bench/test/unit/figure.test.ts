import { expect, it } from 'vitest';
import { type Figure, figureJson, figureTable, ratios, reached } from '../../src/figure.ts';

const FIGURE: Figure = {
  name: 'acks',
  unit: 'events/s',
  ours: [80, 100, 90],
  against: 'bare XADD',
  theirs: [100, 100, 200],
  goal: { of: 'ratio', bound: 'least', value: 0.8 },
};

it('compares round by round, so that a slow minute of the machine counts on both sides', () => {
  expect(ratios(FIGURE)).toEqual([0.8, 1, 0.45]);
});

it('reaches a goal by the median of the rounds', () => {
  expect(reached(FIGURE)).toBe(true);
  expect(reached({ ...FIGURE, goal: { of: 'ratio', bound: 'least', value: 0.81 } })).toBe(false);
  expect(reached({ ...FIGURE, goal: { of: 'ratio', bound: 'most', value: 0.8 } })).toBe(true);
  expect(reached({ ...FIGURE, goal: { of: 'value', bound: 'most', value: 89 } })).toBe(false);
  expect(reached({ ...FIGURE, goal: null })).toBeNull();
});

it('does not reach a goal without a measurement', () => {
  expect(reached({ ...FIGURE, ours: [], theirs: [] })).toBe(false);
});

it('shows medians, the spread and the goal in a table', () => {
  const [, , row] = figureTable([FIGURE]).split('\n');
  expect(row?.split('|').map((cell) => cell.trim())).toEqual([
    '',
    'acks',
    '90.0 events/s',
    'bare XADD',
    '100 events/s',
    '0.800 (0.450–1.00)',
    '≥ 0.8 met',
    '',
  ]);
});

it('says nothing about goals when they are not to be judged', () => {
  expect(figureTable([FIGURE], { judge: false })).not.toContain('met');
  expect(figureTable([FIGURE], { judge: false })).toMatch(/\| – +\|$/m);
});

it('shows a figure whose goal is a value without a peer', () => {
  const memory: Figure = {
    name: 'memory',
    unit: 'MiB',
    ours: [310],
    against: null,
    theirs: [],
    goal: { of: 'value', bound: 'most', value: 300 },
  };
  const [, , row] = figureTable([memory]).split('\n');
  expect(row?.split('|').map((cell) => cell.trim())).toEqual([
    '',
    'memory',
    '310 MiB',
    '–',
    '–',
    '–',
    '≤ 300 MiB missed',
    '',
  ]);
});

/** The last two cells of a row, and the empty text after it. */
function lastCells(row = ''): string[] {
  return row
    .split('|')
    .map((cell) => cell.trim())
    .slice(-3);
}

it('shows other settings in columns of their own, and a dash where they were not measured', () => {
  const variants = [{ name: 'transactions of 1,000', ours: [100, 120, 110] }];
  const [head, , ...rows] = figureTable([{ ...FIGURE, variants }, FIGURE]).split('\n');
  expect(lastCells(head)).toEqual(['goal', 'transactions of 1,000', '']);
  expect(lastCells(rows[0])).toEqual(['≥ 0.8 met', '110 events/s, 1.00 (0.550–1.20)', '']);
  expect(lastCells(rows[1])).toEqual(['≥ 0.8 met', '–', '']);
});

it('has other settings in the JSON, with their own ratios', () => {
  const variants = [{ name: 'transactions of 1,000', ours: [100, 120, 110] }];
  expect(figureJson({ ...FIGURE, variants }).variants).toEqual([
    { name: 'transactions of 1,000', ours: [100, 120, 110], median: 110, ratio: 1, ratios: [1, 1.2, 0.55] },
  ]);
});

it('has every round in the JSON', () => {
  expect(figureJson(FIGURE)).toEqual({
    ...FIGURE,
    median: 90,
    theirMedian: 100,
    ratio: 0.8,
    ratios: [0.8, 1, 0.45],
    reached: true,
  });
});

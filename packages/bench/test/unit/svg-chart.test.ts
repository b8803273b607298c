import { expect, it } from 'vitest';
import { svgChart } from '../../src/svg-chart.ts';

const CHART = {
  title: 'Events & time',
  xLabel: 'batch size',
  yLabel: 'events/s',
  xScale: 'log' as const,
  series: [
    {
      name: 'ours',
      points: [
        { x: 1, y: 0 },
        { x: 10, y: 50 },
        { x: 100, y: 100 },
      ],
    },
    {
      name: 'theirs <1>',
      points: [
        { x: 1, y: 10 },
        { x: 100, y: 20 },
      ],
    },
  ],
};

it('draws a line for each series, with its name in the legend', () => {
  const svg = svgChart(CHART);
  expect(svg.match(/<polyline /g)).toHaveLength(2);
  expect(svg).toContain('>ours</text>');
  expect(svg).toContain('>theirs &lt;1></text>');
  expect(svg).toContain('aria-label="Events &amp; time"');
});

it('places what grows by factors evenly, from the bottom to the top', () => {
  const points = /<polyline points="([^"]+)"/
    .exec(svgChart(CHART))?.[1]
    ?.split(' ')
    .map((pair) => pair.split(',').map(Number));
  expect(points).toEqual([
    [80, 308],
    [388, 178],
    [696, 48],
  ]);
});

it('has an axis from 0 with round numbers, and a tick for each size', () => {
  const svg = svgChart(CHART);
  for (const tick of ['0', '20', '40', '60', '80', '100']) expect(svg).toContain(`text-anchor="end">${tick}</text>`);
  for (const tick of ['1', '10', '100']) expect(svg).toContain(`text-anchor="middle">${tick}</text>`);
});

it('can be read on a dark page', () => {
  expect(svgChart(CHART)).toContain('@media (prefers-color-scheme: dark)');
});

it('has no NaN for a single point or for zeros', () => {
  const svg = svgChart({ ...CHART, xScale: 'linear', series: [{ name: 'ours', points: [{ x: 0, y: 0 }] }] });
  expect(svg).not.toMatch(/NaN|Infinity/);
});

/** One line of a chart. */
export interface Series {
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

export interface Chart {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  /** A logarithmic axis for what grows by factors; it can't show 0. */
  readonly xScale: 'linear' | 'log';
  readonly series: readonly Series[];
}

const WIDTH = 720;
const HEIGHT = 400;
const PLOT = { left: 80, right: 24, top: 48, bottom: 92 };
/** Okabe and Ito's palette: distinct for colour-blind readers too, and readable on white and on black. */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00'];
/** Dashes tell lines apart in print. */
const DASHES = ['', '7 4', '2 3', '10 3 2 3', '4 2'];

/**
 * A line chart as an SVG document: axes from 0, a legend, colours for light and dark. It has its own background: an image
 * follows the system's choice of light and dark, but the page around it may not.
 */
export function svgChart({ title, xLabel, yLabel, xScale, series }: Chart): string {
  const xs = [...new Set(series.flatMap(({ points }) => points.map(({ x }) => x)))].toSorted((a, b) => a - b);
  const largest = Math.max(...series.flatMap(({ points }) => points.map(({ y }) => y)), 0);
  const step = niceStep(largest);
  const top = Math.max(step, Math.ceil(largest / step) * step);
  const along = xScale === 'log' ? Math.log10 : (x: number): number => x;
  const first = along(xs[0] ?? 0);
  const span = along(xs.at(-1) ?? 1) - first || 1;
  const plotWidth = WIDTH - PLOT.left - PLOT.right;
  const plotHeight = HEIGHT - PLOT.top - PLOT.bottom;
  const atX = (x: number): number => round(PLOT.left + ((along(x) - first) / span) * plotWidth);
  const atY = (y: number): number => round(PLOT.top + plotHeight - (y / top) * plotHeight);
  const floor = PLOT.top + plotHeight;

  const yTicks = Array.from({ length: Math.round(top / step) + 1 }, (_, index) => index * step).map(
    (y) =>
      `<line class="grid" x1="${PLOT.left}" y1="${atY(y)}" x2="${WIDTH - PLOT.right}" y2="${atY(y)}"/>` +
      `<text x="${PLOT.left - 8}" y="${atY(y) + 4}" text-anchor="end">${short(y)}</text>`,
  );
  const xTicks = xs.map((x) => `<text x="${atX(x)}" y="${floor + 18}" text-anchor="middle">${short(x)}</text>`);
  const lines = series.map(({ points }, index) => {
    const colour = COLOURS[index % COLOURS.length]!;
    const path = points.map(({ x, y }) => `${atX(x)},${atY(y)}`).join(' ');
    const dots = points.map(({ x, y }) => `<circle cx="${atX(x)}" cy="${atY(y)}" r="3" fill="${colour}"/>`);
    return `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2" ${dash(index)}/>${dots.join('')}`;
  });
  const legend = series.map(({ name }, index) => {
    const x = PLOT.left + (index * plotWidth) / series.length;
    const y = HEIGHT - 16;
    const colour = COLOURS[index % COLOURS.length]!;
    return (
      `<line x1="${x}" y1="${y - 4}" x2="${x + 28}" y2="${y - 4}" stroke="${colour}" stroke-width="2" ${dash(index)}/>` +
      `<text x="${x + 34}" y="${y}">${escape(name)}</text>`
    );
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escape(title)}">
<style>
  .page { fill: #ffffff; }
  text { font: 12px system-ui, sans-serif; fill: #1f2328; }
  .title { font-size: 15px; font-weight: 600; }
  .grid { stroke: #d0d7de; }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117; }
    text { fill: #e6edf3; }
    .grid { stroke: #3d444d; }
  }
</style>
<rect class="page" width="${WIDTH}" height="${HEIGHT}"/>
<text class="title" x="${PLOT.left}" y="24">${escape(title)}</text>
${yTicks.join('\n')}
${xTicks.join('\n')}
<text x="${PLOT.left + plotWidth / 2}" y="${floor + 40}" text-anchor="middle">${escape(xLabel)}</text>
<text transform="translate(18 ${PLOT.top + plotHeight / 2}) rotate(-90)" text-anchor="middle">${escape(yLabel)}</text>
${lines.join('\n')}
${legend.join('\n')}
</svg>
`;
}

/** 1, 2 or 5 times a power of ten, so that at most about six steps reach the largest value. */
function niceStep(largest: number): number {
  if (largest <= 0) return 1;
  const rough = largest / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough) ?? 10 * power;
}

function short(value: number): string {
  if (value >= 1e6) return `${threeDigits(value / 1e6)}M`;
  return value >= 1e4 ? `${threeDigits(value / 1e3)}k` : threeDigits(value);
}

/** Without trailing zeros: ticks are round numbers. */
function threeDigits(value: number): string {
  return String(Number(value.toPrecision(3)));
}

function dash(index: number): string {
  const dashes = DASHES[index % DASHES.length]!;
  return dashes === '' ? '' : `stroke-dasharray="${dashes}"`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}

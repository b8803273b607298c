import { median, threeDigits } from './figures.ts';
import { markdownTable } from './markdown-table.ts';

/** What a figure should reach: as a value, or as a ratio to the figure it is compared with. */
export interface Goal {
  readonly of: 'ratio' | 'value';
  readonly bound: 'least' | 'most';
  readonly value: number;
}

/** One measurement in pairs: the values of each round, and those of a peer or a limit in the same rounds. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly ours: readonly number[];
  /** Name of the peer or the limit; null for a figure whose goal is a value. */
  readonly against: string | null;
  readonly theirs: readonly number[];
  readonly goal: Goal | null;
  /** The same with other settings in the same rounds: each name is a column of its own. The goal is not theirs. */
  readonly variants?: readonly Variant[];
}

/** The values of each round with another setting. */
export interface Variant {
  /** Heads the column. */
  readonly name: string;
  readonly ours: readonly number[];
}

/** Our value divided by theirs, for each round. */
export function ratios({ ours, theirs }: Figure): number[] {
  return theirs.map((value, round) => (ours[round] ?? Number.NaN) / value);
}

/** Null without a goal. By the median of the rounds. */
export function reached(figure: Figure): boolean | null {
  const { goal } = figure;
  if (goal === null) return null;
  const value = median(goal.of === 'ratio' ? ratios(figure) : figure.ours);
  return goal.bound === 'least' ? value >= goal.value : value <= goal.value;
}

/**
 * Formats figures as a table in Markdown: medians, ratios with their spread, and whether goals are reached.
 *
 * @param judge whether the table judges goals; figures of a quick run say nothing about them
 */
export function figureTable(figures: readonly Figure[], { judge }: { judge: boolean } = { judge: true }): string {
  const columns = [...new Set(figures.flatMap(({ variants = [] }) => variants.map(({ name }) => name)))];
  return markdownTable(
    ['figure', 'Sluice', 'against', 'theirs', 'ratio (spread)', 'goal', ...columns],
    figures.map((figure) => [
      figure.name,
      `${threeDigits(median(figure.ours))} ${figure.unit}`,
      figure.against ?? '–',
      figure.against === null ? '–' : `${threeDigits(median(figure.theirs))} ${figure.unit}`,
      figure.against === null ? '–' : spread(ratios(figure)),
      judge ? goalText(figure) : '–',
      ...columns.map((column) => variantText(figure, column)),
    ]),
  );
}

/** The value with another setting, and its ratio to the same peer; a dash where it was not measured. */
function variantText(figure: Figure, column: string): string {
  const variant = figure.variants?.find(({ name }) => name === column);
  if (variant === undefined) return '–';
  const value = `${threeDigits(median(variant.ours))} ${figure.unit}`;
  return figure.against === null ? value : `${value}, ${spread(ratios({ ...figure, ours: variant.ours }))}`;
}

/** Median, and in parentheses the smallest and the largest. */
export function spread(values: readonly number[]): string {
  if (values.length === 0) return '–';
  return `${threeDigits(median(values))} (${threeDigits(Math.min(...values))}–${threeDigits(Math.max(...values))})`;
}

/** The JSON form: the rounds, with the medians that the table shows. */
export function figureJson(figure: Figure) {
  const { variants, ...rest } = figure;
  const ofRatios = ratios(figure);
  return {
    ...rest,
    median: median(figure.ours),
    theirMedian: figure.against === null ? null : median(figure.theirs),
    ratio: figure.against === null ? null : median(ofRatios),
    ratios: ofRatios,
    reached: reached(figure),
    ...(variants && { variants: variants.map((variant) => variantJson(figure, variant)) }),
  };
}

function variantJson(figure: Figure, { name, ours }: Variant) {
  const ofRatios = ratios({ ...figure, ours });
  return {
    name,
    ours,
    median: median(ours),
    ratio: figure.against === null ? null : median(ofRatios),
    ratios: ofRatios,
  };
}

function goalText(figure: Figure): string {
  const { goal } = figure;
  if (goal === null) return '–';
  const unit = goal.of === 'value' ? ` ${figure.unit}` : '';
  return `${goal.bound === 'least' ? '≥' : '≤'} ${goal.value}${unit} ${reached(figure) === true ? 'met' : 'missed'}`;
}

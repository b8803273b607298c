import { type Figure, figureJson, figureTable } from '../figure.ts';

/** What a suite under load found. */
export interface LoadResults {
  readonly figures: readonly Figure[];
  /** What a reader should know, a line each. */
  readonly notes: readonly string[];
}

/** A suite's result as it is printed, and as JSON. */
export interface SuiteResult {
  readonly text: string;
  readonly json: unknown;
}

/** The table with its notes, and the same as JSON; `judge` is whether the table says that goals are reached. */
export function presentLoad({ figures, notes }: LoadResults, { judge }: { judge: boolean }): SuiteResult {
  return {
    text: [figureTable(figures, { judge }), ...notes.map((note) => `- ${note}`)].join('\n'),
    json: { figures: figures.map(figureJson), notes },
  };
}

import { type Figure, figureJson, figureTable } from '../figure.ts';

/** The results of a suite under load. */
export interface LoadResults {
  readonly figures: readonly Figure[];
  /** Notes for the reader, a line each. */
  readonly notes: readonly string[];
}

/** A suite's result as printed text, and as JSON. */
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

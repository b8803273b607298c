import { spread } from '../figure.ts';
import { threeDigits } from '../figures.ts';
import { markdownTable } from '../markdown-table.ts';
import type { QueryResult } from './query-bench.ts';

/** Formats the result as a table in Markdown for `docs/understand/benchmarks.md`, with goals if they are to be judged. */
export function queryTable({ figures }: QueryResult, { judge }: { judge: boolean }): string {
  return markdownTable(
    [
      'question',
      'asked',
      'p50 ms',
      'p95 ms',
      'goal ms',
      "seeds' schema p50",
      'p95',
      'times faster (spread)',
      'seeds say',
    ],
    figures.map((figure) => [
      figure.question,
      String(figure.asked),
      ms(figure.p50),
      ms(figure.p95),
      figure.goal === null || !judge ? '–' : `${figure.goal} ${figure.p95 <= figure.goal ? 'met' : 'missed'}`,
      ms(figure.peerP50),
      ms(figure.peerP95),
      spread(figure.timesFaster),
      ms(figure.seedsSay),
    ]),
  );
}

function ms(value: number | null): string {
  return value === null ? '–' : threeDigits(value);
}

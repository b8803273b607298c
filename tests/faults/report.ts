import type { FaultRun } from './run-fault.ts';

/** All runs of one fault. */
export interface FaultRow {
  readonly fault: string;
  readonly runs: number;
  readonly acked: number;
  readonly refused: number;
  readonly unknown: number;
  readonly stored: number;
  readonly dead: number;
  readonly lost: number;
  readonly wiped: number;
  /** The longest recovery of all runs; null when no run ended well. */
  readonly recovery_ms: number | null;
  readonly recovery_limit_ms: number;
  readonly peak_mib: number;
  readonly skipped: string | null;
  readonly violations: readonly { seed: number; what: string }[];
}

/** One row for each fault, in the order in which they were run first. */
export function summarize(runs: readonly FaultRun[]): FaultRow[] {
  return [...Map.groupBy(runs, (run) => run.fault)].map(([fault, all]) => {
    const done = all.filter((run) => run.skipped === null);
    const total = (count: (run: FaultRun) => number): number => done.reduce((sum, run) => sum + count(run), 0);
    const recoveries = done.map((run) => run.recoveryMs);
    const allRecovered = recoveries.length > 0 && recoveries.every((ms) => ms !== null);
    return {
      fault,
      runs: done.length,
      acked: total((run) => run.acked),
      refused: total((run) => run.refused),
      unknown: total((run) => run.unknown),
      stored: total((run) => run.stored),
      dead: total((run) => run.dead),
      lost: total((run) => run.lost),
      wiped: total((run) => run.wiped),
      recovery_ms: allRecovered ? Math.max(...recoveries.map(Number)) : null,
      recovery_limit_ms: all[0]!.recoversWithinMs,
      peak_mib: Math.max(...all.map((run) => run.peakMib)),
      skipped: all[0]!.skipped,
      violations: all.flatMap((run) => run.violations.map((what) => ({ seed: run.seed, what }))),
    };
  });
}

const COLUMNS = ['fault', 'runs', 'acked', 'refused', 'unknown', 'stored', 'dead', 'lost', 'recovery', 'peak'] as const;

/** Formats the rows as a Markdown table, readable on a terminal too, with notes and violations below. */
export function renderTable(rows: readonly FaultRow[]): string {
  const cells = rows.map(cellsOf);
  const widths = COLUMNS.map((name, at) => Math.max(name.length, ...cells.map((row) => row[at]!.length)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!))).join(' | ')} |`;
  const rule = `| ${widths.map((width, at) => (at === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`;
  return [line(COLUMNS), rule, ...cells.map(line), ...notesOf(rows)].join('\n');
}

function cellsOf(row: FaultRow): string[] {
  if (row.runs === 0) return [row.fault, 'skipped', ...COLUMNS.slice(2).map(() => '')];
  const { acked, refused, unknown, stored, dead, lost } = row;
  const seconds = row.recovery_ms === null ? 'never' : `${(row.recovery_ms / 1000).toFixed(1)} s`;
  const counts = [row.runs, acked, refused, unknown, stored, dead, lost].map(String);
  return [row.fault, ...counts, `${seconds} of ${row.recovery_limit_ms / 1000}`, `${row.peak_mib} MiB`];
}

function notesOf(rows: readonly FaultRow[]): string[] {
  const notes = rows.flatMap((row) => [
    ...(row.skipped === null ? [] : [`${row.fault}: skipped, ${row.skipped}`]),
    ...(row.wiped === 0 ? [] : [`${row.fault}: ${row.wiped} acked events went with the queue, and it was reported`]),
    ...row.violations.map(({ seed, what }) => `${row.fault} (--seed ${seed} --only ${row.fault}): ${what}`),
  ]);
  return notes.length === 0 ? [] : ['', ...notes];
}

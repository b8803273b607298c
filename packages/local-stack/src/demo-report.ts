import type { BurstResult } from './send-burst.ts';
import type { StoredCheck } from './watch-stored.ts';

/** What `demo --json` prints. Rates are whole events a second, times have their unit in the name. */
export interface DemoReport {
  /** Every acknowledged event is in Postgres exactly once. */
  ok: boolean;
  events_sent: number;
  batches: number;
  /** Requests by status. */
  answers: Record<string, number>;
  accepted: number;
  rejected: number;
  /** Rejected events by code. */
  rejections: Record<string, number>;
  ack_p50_ms: number;
  ack_p99_ms: number;
  acked_per_second: number;
  stored_per_second: number;
  /** Different ids among the accepted events. */
  ids: number;
  stored_once: number;
  already_stored: number;
  missing: number;
  /** From the last acknowledgement until all was stored; null if it never was. */
  drain_seconds: number | null;
}

/** Combines what the sender and Postgres saw of a burst. */
export function reportBurst(burst: BurstResult, stored: StoredCheck): DemoReport {
  const latencies = burst.latenciesMs.toSorted((a, b) => a - b);
  const perSecond = (count: number, until: number) => Math.round((count * 1000) / Math.max(1, until - burst.startedAt));
  const { drainedAt } = stored;
  return {
    ok: stored.missing === 0 && stored.once === stored.ids,
    events_sent: burst.sent,
    batches: burst.batches,
    answers: burst.answers,
    accepted: burst.accepted,
    rejected: burst.rejected,
    rejections: burst.rejections,
    ack_p50_ms: percentile(latencies, 50),
    ack_p99_ms: percentile(latencies, 99),
    acked_per_second: perSecond(burst.accepted, burst.endedAt),
    stored_per_second: drainedAt === undefined ? 0 : perSecond(stored.newlyStored, drainedAt),
    ids: stored.ids,
    stored_once: stored.once,
    already_stored: stored.alreadyStored,
    missing: stored.missing,
    drain_seconds: drainedAt === undefined ? null : Math.max(0, Math.round(drainedAt - burst.endedAt) / 1000),
  };
}

/** The report as a table for people, one figure a line. */
export function formatReport(report: DemoReport): string {
  const { '202': accepted = 0, ...others } = report.answers;
  const rows: [string, string][] = [
    ['events sent', `${number(report.events_sent)} in ${number(report.batches)} batches`],
    ['answered 202', `${number(accepted)}${Object.keys(others).length > 0 ? `   others: ${counts(others)}` : ''}`],
  ];
  if (report.rejected > 0) rows.push(['rejected', `${number(report.rejected)}   ${counts(report.rejections)}`]);
  rows.push(
    ['ack p50 / p99', `${report.ack_p50_ms.toFixed(1)} / ${report.ack_p99_ms.toFixed(1)} ms`],
    ['acked', `${number(report.acked_per_second)} events/s`],
    ['stored', `${number(report.stored_per_second)} events/s`],
  );
  if (report.already_stored > 0)
    rows.push(['already stored', `${number(report.already_stored)}, sent before; not stored again`]);
  const repeated = report.accepted - report.ids;
  if (repeated > 0) rows.push(['same id twice', `${number(repeated)}, stored once`]);
  const notOnce = report.ids - report.missing - report.stored_once;
  const verdict = report.ok
    ? 'all, checked in Postgres'
    : `NOT ALL: ${number(report.missing)} missing, ${number(notOnce)} more than once`;
  const drained =
    report.drain_seconds === null ? 'not drained' : `${report.drain_seconds.toFixed(2)} s after the last 202`;
  rows.push(
    ['stored once each', `${number(report.stored_once)} of ${number(report.ids)}   ${verdict}`],
    ['time to drain', drained],
  );
  const [first, second] = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]!.length))) as [
    number,
    number,
  ];
  const rule = (left: string, middle: string, right: string) =>
    `${left}${'─'.repeat(first + 2)}${middle}${'─'.repeat(second + 2)}${right}`;
  const body = rows.map(([name, value]) => `│ ${name.padEnd(first)} │ ${value.padEnd(second)} │`);
  return [rule('┌', '┬', '┐'), ...body, rule('└', '┴', '┘')].join('\n');
}

/** `429: 3, 503: 1` */
function counts(of: Record<string, number>): string {
  return Object.entries(of)
    .map(([name, count]) => `${name}: ${number(count)}`)
    .join(', ');
}

function number(value: number): string {
  return value.toLocaleString('en');
}

/** The smallest value that `p` percent of the sorted values do not exceed; 0 if there are none. Rounded to 0.01. */
function percentile(sorted: number[], p: number): number {
  const value = sorted[Math.max(0, Math.ceil((sorted.length * p) / 100) - 1)] ?? 0;
  return Math.round(value * 100) / 100;
}

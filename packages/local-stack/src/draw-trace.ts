import { styleText } from 'node:util';
import { visible } from '@sluice/errors/visible';
import type { ReceivedSpan } from './otlp-messages.ts';
import type { SpanNode, TraceTree } from './trace-tree.ts';

/** How a trace is drawn. */
export interface DrawOptions {
  /** Columns; at least 60 are used. */
  readonly width: number;
  readonly color: boolean;
}

const SERVICES: Record<string, { short: string; color: 'cyan' | 'green' | 'magenta' | 'yellow' }> = {
  'sluice-ingest-api': { short: 'ingest', color: 'cyan' },
  'sluice-writer-worker': { short: 'writer', color: 'green' },
  'sluice-query-api': { short: 'query', color: 'yellow' },
  'sluice-maintenance-worker': { short: 'maintain', color: 'magenta' },
};
const SERVICE_WIDTH = 8;
const DURATION_WIDTH = 8;
/** Spaces between columns. */
const GAPS = 8;

type Style = Parameters<typeof styleText>[0];

/**
 * Draws traces, numbered, one below the other. Each span is a line: its service, its position in the tree, a bar for
 * when it was busy, its duration, and its most telling attributes.
 *
 * @param startedMs when the demo began; the headings say how long after it each trace began
 */
export function drawTraces(traces: readonly TraceTree[], startedMs: number, options: DrawOptions): string[] {
  const numbers = new Map(traces.map(({ traceId }, at) => [traceId, at + 1]));
  return traces.flatMap((trace) => {
    const after = durationOf(trace.startMs - startedMs);
    const took = durationOf(trace.endMs - trace.startMs);
    const heading = `${numbers.get(trace.traceId)}  trace ${trace.traceId}`;
    return [
      `${paint(options, 'bold', heading)}${paint(options, 'dim', `  after ${after}, ${took} long`)}`,
      ...linksOf(trace, numbers).map((text) => paint(options, 'dim', `   ${text}`)),
      '',
      ...linesOf(trace, options),
      '',
    ];
  });
}

function linesOf(trace: TraceTree, options: DrawOptions): string[] {
  const rows = trace.roots.flatMap((root) => rowsOf(root, '', ''));
  const rest = Math.max(60, options.width) - SERVICE_WIDTH - DURATION_WIDTH - GAPS;
  const nameWidth = Math.min(Math.max(...rows.map(({ label }) => label.length)), Math.floor(rest * 0.54));
  const barWidth = Math.max(10, Math.floor((rest - nameWidth) * 0.45));
  const detailWidth = Math.max(0, rest - nameWidth - barWidth);
  return rows.map(({ span, label }) => {
    const service = SERVICES[span.service] ?? { short: span.service, color: 'white' as const };
    const failed = span.status === 'error';
    return [
      paint(options, service.color, cut(visible(service.short), SERVICE_WIDTH).padEnd(SERVICE_WIDTH)),
      paint(options, failed ? 'red' : 'reset', cut(label, nameWidth).padEnd(nameWidth)),
      paint(options, failed ? 'red' : service.color, barOf(span, trace, barWidth)),
      durationOf(span.endMs - span.startMs).padStart(DURATION_WIDTH),
      paint(options, failed ? 'red' : 'dim', cut(visible(detailOf(span)), detailWidth)),
    ]
      .join('  ')
      .trimEnd();
  });
}

function paint({ color }: DrawOptions, style: Style, text: string): string {
  return color && text !== '' ? styleText(style, text, { validateStream: false }) : text;
}

interface Row {
  readonly span: ReceivedSpan;
  /** The lines of the tree, and the span's name. */
  readonly label: string;
}

function rowsOf({ span, children }: SpanNode, lead: string, below: string): Row[] {
  return [
    { span, label: `${lead}${visible(span.name)}` },
    ...children.flatMap((child, at) => {
      const last = at === children.length - 1;
      return rowsOf(child, `${below}${last ? '└ ' : '├ '}`, `${below}${last ? '  ' : '│ '}`);
    }),
  ];
}

/** Each pair of names once: a transaction may be linked to hundreds of requests. */
function linksOf({ links }: TraceTree, numbers: ReadonlyMap<string, number>): string[] {
  const nameOf = ({ name, traceId }: ReceivedSpan): string => `${visible(name)} (${numbers.get(traceId)})`;
  return [...new Set(links.map(({ from, to }) => `${nameOf(from)} ──▶ ${nameOf(to)}`))];
}

/** A bar between the trace's begin and end, never shorter than one character. */
function barOf(span: ReceivedSpan, trace: TraceTree, width: number): string {
  const scale = width / Math.max(trace.endMs - trace.startMs, 0.001);
  const from = Math.min(width - 1, Math.floor((span.startMs - trace.startMs) * scale));
  const length = Math.max(1, Math.min(width - from, Math.round((span.endMs - span.startMs) * scale)));
  return `${' '.repeat(from)}${'━'.repeat(length)}`.padEnd(width);
}

/** In three digits: `0.04 ms`, `3.21 ms`, `45.3 ms`, `1.20 s`. */
export function durationOf(ms: number): string {
  const [value, unit] = ms < 999.5 ? [ms, 'ms'] : [ms / 1000, 's'];
  return `${value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0)} ${unit}`;
}

/** The attributes of a span that are worth showing, most telling first. */
function detailOf({ kind, attributes, links, status, statusMessage }: ReceivedSpan): string {
  const text = (key: string): string => textOf(attributes[key]).trim().replace(/\s+/g, ' ');
  const statement = text('db.query.text');
  const failed = status === 'error' && statusMessage !== '';
  return [
    text('http.response.status_code'),
    text('sluice.dead_letter.reason'),
    failed ? statusMessage : '',
    counted(attributes[kind === 'producer' ? 'messaging.batch.message_count' : 'sluice.events'], 'event'),
    counted(attributes['sluice.replay.letters'], 'dead letter'),
    counted(links.length === 0 ? undefined : links.length, 'link'),
    text('sluice.outcome'),
    text('sluice.durability'),
    // A statement of one verb repeats the span's name.
    failed || !statement.includes(' ') ? '' : statement,
  ]
    .filter((part) => part !== '')
    .join(' · ');
}

function counted(count: unknown, what: string): string {
  return count === undefined ? '' : `${textOf(count)} ${what}${count === 1 ? '' : 's'}`;
}

function textOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}

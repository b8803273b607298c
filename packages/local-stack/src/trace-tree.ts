import type { ReceivedSpan } from './otlp-messages.ts';

/** A span with those below it, in the order they began. */
export interface SpanNode {
  readonly span: ReceivedSpan;
  readonly children: readonly SpanNode[];
}

/** One trace. */
export interface TraceTree {
  readonly traceId: string;
  /** In the order they began. */
  readonly spans: readonly ReceivedSpan[];
  /** Spans whose parent is elsewhere, or that have none. */
  readonly roots: readonly SpanNode[];
  readonly startMs: number;
  readonly endMs: number;
  /** Links between this trace and those before it in the list. */
  readonly links: readonly { readonly from: ReceivedSpan; readonly to: ReceivedSpan }[];
}

/** The trace of this id and all that are linked with it, directly or through others, in the order they began. */
export function linkedTraces(spans: readonly ReceivedSpan[], traceId: string): TraceTree[] {
  const traces = Map.groupBy(spans, (span) => span.traceId);
  const found = new Set([traceId]);
  // Iterating over a set includes what is added meanwhile, so this continues until nothing new is linked.
  for (const each of found) {
    for (const span of spans) {
      if (span.traceId === each) for (const link of span.links) found.add(link.traceId);
      else if (span.links.some((link) => link.traceId === each)) found.add(span.traceId);
    }
  }
  const known = [...found]
    .map((id) => ({ id, spans: (traces.get(id) ?? []).toSorted(byStart) }))
    .filter((trace) => trace.spans.length > 0)
    .toSorted((a, b) => startOf(a.spans) - startOf(b.spans));
  return known.map((trace, at) => {
    const before = new Map(known.slice(0, at).flatMap((each) => each.spans.map((span) => [span.spanId, span])));
    const own = new Map(trace.spans.map((span) => [span.spanId, span]));
    return {
      traceId: trace.id,
      spans: trace.spans,
      roots: treeOf(trace.spans),
      startMs: startOf(trace.spans),
      endMs: Math.max(...trace.spans.map((span) => span.endMs)),
      links: [...linksInto(trace.spans, before), ...linksInto([...before.values()], own)],
    };
  });
}

function linksInto(spans: readonly ReceivedSpan[], targets: ReadonlyMap<string, ReceivedSpan>): TraceTree['links'] {
  return spans.flatMap((from) =>
    from.links.flatMap(({ spanId }) => {
      const to = targets.get(spanId);
      return to === undefined ? [] : [{ from, to }];
    }),
  );
}

/** Starts are known to the millisecond only. Of two in the same one, the span that ended first comes first. */
function byStart(a: ReceivedSpan, b: ReceivedSpan): number {
  return a.startMs - b.startMs;
}

function startOf(spans: readonly ReceivedSpan[]): number {
  return Math.min(...spans.map((span) => span.startMs));
}

function treeOf(spans: readonly ReceivedSpan[]): SpanNode[] {
  const ids = new Set(spans.map((span) => span.spanId));
  const parentOf = (span: ReceivedSpan) =>
    span.parentSpanId !== null && ids.has(span.parentSpanId) ? span.parentSpanId : null;
  const byParent = Map.groupBy(spans, parentOf);
  const below = (parent: string | null): SpanNode[] =>
    (byParent.get(parent) ?? []).toSorted(byStart).map((span) => ({ span, children: below(span.spanId) }));
  return below(null);
}

import { type Attributes, context, type Span, type SpanKind } from '@opentelemetry/api';
import { inSpan } from '@sluice/daemon/telemetry/in-span';
import { KEEP_FAILURES } from '@sluice/daemon/telemetry/sampler';
import { spanBudget } from '@sluice/daemon/telemetry/span-budget';
import { linksTo } from '@sluice/daemon/telemetry/trace-context';

/** Most statements, commands and calls that one run shows in its trace. */
const MOST_CLIENT_SPANS = 300;

/** What the span of a run has from its start on. */
export interface RunTrace {
  readonly kind?: SpanKind;
  readonly attributes: Attributes;
  /** `traceparent` of the request; null without one. */
  readonly requestedBy: string | null | undefined;
}

/**
 * Runs a piece of maintenance in a trace of its own, which links to its request. A trace with a failure is kept at any
 * sampling ratio. A trace shows the first statements only, however many there are.
 */
export function inRunTrace<T>(name: string, trace: RunTrace, work: (span: Span) => Promise<T>): Promise<T> {
  const budget = spanBudget(context.active(), MOST_CLIENT_SPANS);
  const start = {
    ...(trace.kind === undefined ? {} : { kind: trace.kind }),
    attributes: { ...trace.attributes, [KEEP_FAILURES]: true },
    links: linksTo([trace.requestedBy]),
    root: true,
    parent: budget.context,
  };
  return inSpan(name, start, async (span) => {
    try {
      return await work(span);
    } finally {
      if (budget.leftOut() > 0) span.setAttribute('sluice.spans.left_out', budget.leftOut());
    }
  });
}

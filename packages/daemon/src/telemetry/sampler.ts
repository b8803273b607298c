import {
  type Attributes,
  type Context,
  isSpanContextValid,
  type Link,
  SpanKind,
  trace,
  TraceFlags,
} from '@opentelemetry/api';
import {
  type Sampler,
  SamplingDecision,
  type SamplingResult,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace';
import { takeFromBudget } from './span-budget.ts';

/**
 * Set on a span at its start, this attribute samples it whatever the ratio is. Set later, on a span of a trace that
 * `keep-failures` holds, it samples that trace.
 */
export const KEEP = 'sluice.keep';

/** Attribute of spans whose trace is sampled when something in it fails; see `keep-failures`. */
export const KEEP_FAILURES = 'sluice.keep_failures';

const SAMPLED: SamplingResult = { decision: SamplingDecision.RECORD_AND_SAMPLED };
const RECORDED: SamplingResult = { decision: SamplingDecision.RECORD };
const DROPPED: SamplingResult = { decision: SamplingDecision.NOT_RECORD };

/**
 * Decides which spans are kept: below a parent what the parent's trace decided; at the start of a trace a share of
 * them, by trace id, and each one that is linked to from a sampled trace (a writer's transaction is kept when one of the
 * requests in it is).
 *
 * Spans that carry `sluice.keep_failures`, and what is below them, are recorded also when they are not sampled, so that
 * `keep-failures` can still keep them when they end badly. Client spans beyond a `span-budget` are dropped.
 */
export function createSampler(ratio: number): Sampler {
  const byRatio = new TraceIdRatioBasedSampler(ratio);
  return {
    shouldSample(
      context: Context,
      traceId: string,
      _name: string,
      kind: SpanKind,
      attributes: Attributes,
      links: Link[],
    ): SamplingResult {
      if (attributes[KEEP] === true) return SAMPLED;
      if (kind === SpanKind.CLIENT && !takeFromBudget(context)) return DROPPED;
      const parent = trace.getSpan(context);
      const parentContext = parent?.spanContext();
      if (parent !== undefined && parentContext !== undefined && isSpanContextValid(parentContext)) {
        if (isSampled(parentContext.traceFlags)) return SAMPLED;
        if (parentContext.isRemote === true) return attributes[KEEP_FAILURES] === true ? RECORDED : DROPPED;
        return parent.isRecording() ? RECORDED : DROPPED;
      }
      if (links.some((link) => isSampled(link.context.traceFlags))) return SAMPLED;
      const chosen = byRatio.shouldSample(context, traceId).decision;
      if (chosen === SamplingDecision.RECORD_AND_SAMPLED) return SAMPLED;
      return attributes[KEEP_FAILURES] === true ? RECORDED : DROPPED;
    },
    toString: () => `SluiceSampler{${ratio}}`,
  };
}

function isSampled(flags: number): boolean {
  return (flags & TraceFlags.SAMPLED) !== 0;
}

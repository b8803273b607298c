import { context, ROOT_CONTEXT, type SpanContext, SpanKind, trace, TraceFlags } from '@opentelemetry/api';
import { SamplingDecision, TracerProvider } from '@opentelemetry/sdk-trace';
import { describe, expect, it } from 'vitest';
import { createSampler, KEEP, KEEP_FAILURES } from '../../../src/telemetry/sampler.ts';
import { contextOf, linksTo } from '../../../src/telemetry/trace-context.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SAMPLED_PARENT = `00-${TRACE}-b7ad6b7169203331-01`;
const OTHER_PARENT = `00-${TRACE}-b7ad6b7169203331-00`;

const decide = (
  ratio: number,
  { parent = ROOT_CONTEXT, attributes = {}, links = [] as string[], traceId = TRACE } = {},
): SamplingDecision =>
  createSampler(ratio).shouldSample(parent, traceId, 'any', SpanKind.INTERNAL, attributes, linksTo(links)).decision;

const { RECORD_AND_SAMPLED: SAMPLED, RECORD: RECORDED, NOT_RECORD: DROPPED } = SamplingDecision;

describe('at the start of a trace', () => {
  it('samples a share, by trace id', () => {
    expect(decide(1)).toBe(SAMPLED);
    expect(decide(0)).toBe(DROPPED);
    const ids = Array.from({ length: 2_000 }, (_, at) => ((at * 2_654_435_761) >>> 0).toString(16).padStart(32, '0'));
    const taken = ids.filter((traceId) => decide(0.25, { traceId }) === SAMPLED);
    expect(taken.length / ids.length).toBeCloseTo(0.25, 2);
    expect(ids.filter((traceId) => decide(0.25, { traceId }) === SAMPLED)).toEqual(taken);
  });

  it('samples a trace that links to a sampled one, and not for other links', () => {
    expect(decide(0, { links: [OTHER_PARENT, SAMPLED_PARENT.replace('b7', 'b8')] })).toBe(SAMPLED);
    expect(decide(0, { links: [OTHER_PARENT] })).toBe(DROPPED);
  });

  it('records one whose failures are kept', () => {
    expect(decide(0, { attributes: { [KEEP_FAILURES]: true } })).toBe(RECORDED);
    expect(decide(1, { attributes: { [KEEP_FAILURES]: true } })).toBe(SAMPLED);
  });
});

describe('below a parent elsewhere', () => {
  it('does as the parent did, whatever the ratio', () => {
    expect(decide(0, { parent: contextOf(SAMPLED_PARENT) })).toBe(SAMPLED);
    expect(decide(1, { parent: contextOf(OTHER_PARENT) })).toBe(DROPPED);
  });

  it('records one whose failures are kept', () => {
    expect(decide(1, { parent: contextOf(OTHER_PARENT), attributes: { [KEEP_FAILURES]: true } })).toBe(RECORDED);
  });
});

const inThisProcess = (parent: string | undefined, attributes = {}) => {
  const tracer = new TracerProvider({ sampler: createSampler(0) }).getTracer('test');
  return trace.setSpan(
    ROOT_CONTEXT,
    tracer.startSpan('parent', { attributes }, parent === undefined ? ROOT_CONTEXT : contextOf(parent)),
  );
};

describe('below a parent in this process', () => {
  it('records what is below a recorded span, and drops what is below a dropped one', () => {
    expect(decide(1, { parent: inThisProcess(undefined, { [KEEP_FAILURES]: true }) })).toBe(RECORDED);
    expect(decide(1, { parent: inThisProcess(undefined) })).toBe(DROPPED);
    expect(decide(0, { parent: inThisProcess(SAMPLED_PARENT) })).toBe(SAMPLED);
  });

  it('samples what is below a sampled span', () => {
    expect(decide(0, { parent: inThisProcess(undefined, { [KEEP]: true }) })).toBe(SAMPLED);
  });
});

it('samples a marked span at any ratio and below any parent', () => {
  expect(decide(0, { attributes: { [KEEP]: true } })).toBe(SAMPLED);
  expect(decide(0, { attributes: { [KEEP]: true }, parent: contextOf(OTHER_PARENT) })).toBe(SAMPLED);
  expect(decide(0, { attributes: { [KEEP]: false } })).toBe(DROPPED);
});

it('treats an invalid parent as none', () => {
  const none: SpanContext = { traceId: '0'.repeat(32), spanId: '0'.repeat(16), traceFlags: TraceFlags.SAMPLED };
  expect(decide(0, { parent: trace.setSpanContext(context.active(), none) })).toBe(DROPPED);
});

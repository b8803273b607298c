import { context, ROOT_CONTEXT, type Span, SpanStatusCode, trace, TraceFlags } from '@opentelemetry/api';
import { type ReadableSpan, TracerProvider } from '@opentelemetry/sdk-trace';
import { beforeEach, expect, it } from 'vitest';
import { keepFailures } from '../../../src/telemetry/keep-failures.ts';
import { createSampler, KEEP, KEEP_FAILURES } from '../../../src/telemetry/sampler.ts';

let handedOn: ReadableSpan[];
let start: (name: string, parent?: Span, attributes?: Record<string, boolean>) => Span;

beforeEach(() => {
  handedOn = [];
  const provider = new TracerProvider({
    sampler: createSampler(0),
    spanProcessors: [
      keepFailures({
        onStart() {},
        onEnd: (span) => void handedOn.push(span),
        forceFlush: async () => {},
        shutdown: async () => {},
      }),
    ],
  });
  const tracer = provider.getTracer('test');
  start = (name, parent, attributes = {}) =>
    tracer.startSpan(
      name,
      { attributes },
      parent === undefined ? ROOT_CONTEXT : trace.setSpan(context.active(), parent),
    );
});

const transaction = (parent?: Span): Span => start('process', parent, { [KEEP_FAILURES]: true });
const fail = (span: Span): Span => span.setStatus({ code: SpanStatusCode.ERROR });
const names = (): string[] => handedOn.map(({ name }) => name);

it('passes on all spans of a trace in which one failed, as sampled, with their own ids', () => {
  const root = transaction();
  const child = start('write', root);
  const grandchild = start('INSERT', child);
  fail(grandchild).end();
  child.end();
  expect(handedOn).toEqual([]);
  root.end();
  expect(names()).toEqual(['INSERT', 'write', 'process']);
  for (const [at, span] of [grandchild, child, root].entries()) {
    const { traceId, spanId } = span.spanContext();
    expect(handedOn[at]!.spanContext()).toMatchObject({ traceId, spanId, traceFlags: TraceFlags.SAMPLED });
    expect(handedOn[at]!.ended).toBe(true);
  }
  expect(handedOn[0]!.parentSpanContext?.spanId).toBe(child.spanContext().spanId);
  expect(handedOn[0]!.status.code).toBe(SpanStatusCode.ERROR);
});

it('drops a trace without a failure', () => {
  const root = transaction();
  start('write', root).end();
  root.end();
  fail(start('late', root)).end();
  expect(handedOn).toEqual([]);
});

it('passes on a trace without a failure when one of its spans was marked later', () => {
  const root = transaction();
  start('write', root).end();
  root.setAttribute(KEEP, true).end();
  expect(names()).toEqual(['write', 'process']);
});

it('does not hold spans that are sampled', () => {
  const root = start('dead-letter', undefined, { [KEEP]: true, [KEEP_FAILURES]: true });
  start('INSERT', root).end();
  expect(names()).toEqual(['INSERT']);
});

it('lets the outermost of several decide', () => {
  const run = transaction();
  transaction(run).end();
  fail(run).end();
  expect(names()).toEqual(['process', 'process']);
});

it('keeps the deciding span and notices failures beyond the limit of one trace', () => {
  const root = transaction();
  for (let at = 0; at < 1_000; at += 1) start('step', root).end();
  fail(start('one too many', root)).end();
  root.end();
  expect(handedOn).toHaveLength(1_001);
  expect(names().at(-1)).toBe('process');
  expect(names()).not.toContain('one too many');
});

it('drops the oldest traces when spans never end', () => {
  const endless = Array.from({ length: 1_000 }, () => transaction());
  fail(transaction()).end();
  expect(names()).toEqual(['process']);
  fail(endless[0]!).end();
  expect(handedOn).toHaveLength(1);
  fail(endless[1]!).end();
  expect(handedOn).toHaveLength(2);
});

it('holds a bounded number of spans of all traces together', () => {
  const roots = Array.from({ length: 30 }, () => transaction());
  for (const root of roots) for (let at = 0; at < 900; at += 1) start('step', root).end();
  for (const root of roots) fail(root).end();
  expect(handedOn.length).toBeGreaterThan(15_000);
  expect(handedOn.length).toBeLessThanOrEqual(20_000 + 30);
});

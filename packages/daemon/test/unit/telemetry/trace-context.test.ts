import { trace } from '@opentelemetry/api';
import { describe, expect, it } from 'vitest';
import { contextOf, linksTo, spanContextOf, traceparentOf } from '../../../src/telemetry/trace-context.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = `00-${TRACE}-b7ad6b7169203331-01`;

describe('a traceparent', () => {
  it('is read and written as it was', () => {
    expect(spanContextOf(PARENT)).toEqual({
      traceId: TRACE,
      spanId: 'b7ad6b7169203331',
      traceFlags: 1,
      isRemote: true,
    });
    expect(traceparentOf(trace.getSpan(contextOf(PARENT)))).toBe(PARENT);
    expect(traceparentOf(trace.getSpan(contextOf(PARENT.replace(/01$/, '00'))))).toBe(PARENT.replace(/01$/, '00'));
  });

  it.each([null, undefined, '', 'x', `00-${'0'.repeat(32)}-b7ad6b7169203331-01`, `00-${TRACE}-${'0'.repeat(16)}-01`])(
    'that is %s leads nowhere',
    (traceparent) => {
      expect(spanContextOf(traceparent)).toBeNull();
      expect(linksTo([traceparent])).toEqual([]);
      expect(trace.getSpan(contextOf(traceparent))).toBeUndefined();
    },
  );
});

it('links to each span once', () => {
  const other = PARENT.replace('b7', 'b8');
  expect(linksTo([PARENT, other, null, PARENT, 'x']).map((link) => link.context.spanId)).toEqual([
    'b7ad6b7169203331',
    'b8ad6b7169203331',
  ]);
});

it('is null for no span and for one that is not valid', () => {
  expect(traceparentOf(undefined)).toBeNull();
  expect(traceparentOf(trace.wrapSpanContext({ traceId: '', spanId: '', traceFlags: 0 }))).toBeNull();
});

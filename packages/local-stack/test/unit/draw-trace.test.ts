import { expect, it } from 'vitest';
import { drawTraces, durationOf } from '../../src/draw-trace.ts';
import type { ReceivedSpan } from '../../src/otlp-messages.ts';
import { linkedTraces } from '../../src/trace-tree.ts';

/** A span that is named by its id; `link` is trace and id of another. */
function span(
  traceId: string,
  spanId: string,
  [startMs, endMs]: [number, number],
  more: Partial<ReceivedSpan> & { link?: [string, string] } = {},
): ReceivedSpan {
  const { link, ...properties } = more;
  return {
    service: 'sluice-writer-worker',
    resource: {},
    scope: 'sluice',
    traceId,
    spanId,
    parentSpanId: null,
    name: spanId,
    kind: 'internal',
    startMs,
    endMs,
    attributes: {},
    events: [],
    links: link === undefined ? [] : [{ traceId: link[0], spanId: link[1], attributes: {} }],
    droppedLinks: 0,
    status: 'unset',
    statusMessage: '',
    ...properties,
  };
}

const STORY = [
  span('later', 'process events', [1_020, 1_100], {
    link: ['client', 'send events'],
    attributes: { 'sluice.events': 1, 'sluice.outcome': 'settled' },
  }),
  span('client', 'send events', [1_002, 1_010], { service: 'sluice-ingest-api', parentSpanId: 'POST /api/events' }),
  // Its parent is the client's, which is not here.
  span('client', 'POST /api/events', [1_000, 1_020], {
    service: 'sluice-ingest-api',
    parentSpanId: 'elsewhere',
    attributes: { 'http.response.status_code': 202 },
  }),
  span('later', 'COMMIT', [1_060, 1_060.04], {
    parentSpanId: 'write events',
    attributes: { 'db.query.text': 'COMMIT' },
  }),
  span('later', 'BEGIN', [1_030, 1_040], { parentSpanId: 'write events' }),
  span('later', 'INSERT', [1_040, 1_060], {
    parentSpanId: 'write events',
    status: 'error',
    statusMessage: 'refused',
    attributes: { 'db.query.text': '  INSERT\n  INTO events' },
  }),
  span('later', 'write events', [1_030, 1_061], { parentSpanId: 'process events' }),
  span('later', 'settle events', [1_080, 1_100], {
    parentSpanId: 'process events',
    attributes: { 'db.query.text': 'eval  a' },
  }),
  span('client', 'dead-letter event', [1_070, 1_070], {
    parentSpanId: 'send events',
    link: ['later', 'process events'],
  }),
  span('health', 'nothing to do with it', [1_001, 1_002]),
];

it('finds all traces that are linked with one, in the order they began, and no others', () => {
  const replay = span('replay', 'send again', [2_000, 2_001], { link: ['client', 'dead-letter event'] });
  const traces = linkedTraces([replay, ...STORY], 'client');
  expect(traces.map(({ traceId }) => traceId)).toEqual(['client', 'later', 'replay']);
  expect(traces.map(({ links }) => links.map(({ from, to }) => [from.spanId, to.spanId]))).toEqual([
    [],
    [
      ['process events', 'send events'],
      ['dead-letter event', 'process events'],
    ],
    [['send again', 'dead-letter event']],
  ]);
  expect(linkedTraces(STORY, 'health').map(({ spans }) => spans.map(({ name }) => name))).toEqual([
    ['nothing to do with it'],
  ]);
  expect(linkedTraces(STORY, 'unknown')).toEqual([]);
});

it('draws them as trees with bars, durations and attributes', () => {
  const lines = drawTraces(linkedTraces(STORY, 'client'), 990, { width: 100, color: false });
  expect(`\n${lines.join('\n')}\n`).toMatchInlineSnapshot(`
    "
    1  trace client  after 10.0 ms, 70.0 ms long

    ingest    POST /api/events       ━━━━━━━                    20.0 ms  202
    ingest    └ send events          ━━━                        8.00 ms
    writer      └ dead-letter event                         ━   0.00 ms  1 link

    2  trace later  after 30.0 ms, 80.0 ms long
       process events (2) ──▶ send events (1)
       dead-letter event (1) ──▶ process events (2)

    writer    process events   ━━━━━━━━━━━━━━━━━━━━━━━━━━━   80.0 ms  1 event · 1 link · settled
    writer    ├ write events      ━━━━━━━━━━                 31.0 ms
    writer    │ ├ BEGIN           ━━━                        10.0 ms
    writer    │ ├ INSERT             ━━━━━━━                 20.0 ms  refused
    writer    │ └ COMMIT                    ━                0.04 ms
    writer    └ settle events                      ━━━━━━━   20.0 ms  eval a

    "
  `);
});

it.each([60, 80, 120, 200])('fits into %i columns', (width) => {
  const long = span('client', `a ${'very '.repeat(50)}long name`, [1_000, 1_001], { parentSpanId: 'send events' });
  for (const line of drawTraces(linkedTraces([long, ...STORY], 'client'), 990, { width, color: false }))
    expect(line.length, line).toBeLessThanOrEqual(width);
});

it('draws nothing that controls the terminal', () => {
  const hostile = 'x\u001b]0;t\u0007\u009b2J\u202e\nFORGED';
  const spans = STORY.map((each) => ({
    ...each,
    name: `${each.name}${hostile}`,
    service: hostile,
    statusMessage: hostile,
    attributes: { ...each.attributes, 'sluice.outcome': hostile, 'db.query.text': `INSERT ${hostile}` },
  }));
  const drawn = drawTraces(linkedTraces(spans, 'client'), 990, { width: 200, color: false });
  // oxlint-disable-next-line no-control-regex -- the test searches for these
  for (const line of drawn) expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\p{Cf}]/u);
  expect(drawn.join('')).toContain(String.raw`x\u001b]0;t`);
});

it('colors for a terminal only, failures in red', () => {
  const colored = drawTraces(linkedTraces(STORY, 'client'), 990, { width: 100, color: true });
  expect(colored.find((line) => line.includes('INSERT'))).toContain('\u001b[31m');
  const plain = drawTraces(linkedTraces(STORY, 'client'), 990, { width: 100, color: false });
  // oxlint-disable-next-line no-control-regex -- the test searches for these
  expect(colored.map((line) => line.replaceAll(/\u001b\[\d+m/g, '').trimEnd())).toEqual(plain);
});

it('shows durations in three digits', () => {
  expect([0, 0.04, 3.214, 9.996, 45.34, 99.96, 303, 999.7, 1_234, 75_000].map(durationOf)).toEqual([
    '0.00 ms',
    '0.04 ms',
    '3.21 ms',
    '10.0 ms',
    '45.3 ms',
    '100 ms',
    '303 ms',
    '1.00 s',
    '1.23 s',
    '75.0 s',
  ]);
});

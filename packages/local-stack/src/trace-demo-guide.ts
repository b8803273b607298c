import { styleText } from 'node:util';

/** What there is to see, each with the span that it is about. */
const SIGHTS: readonly (readonly [span: string, what: string])[] = [
  [
    'POST /api/events',
    "goes on with its client's trace, as its traceparent says. It answers 202 as soon as `send events` has the batch in Redis.",
  ],
  [
    'process events',
    'is the transaction of a writer. It serves many requests at once, so it is a trace of its own, with a link to the `send events` of each.',
  ],
  ['write events', 'is one try of it. This one failed: the table refused an event.'],
  [
    'isolate events',
    'halves the batch until the bad event is found alone; `isolate half` is one step, in its savepoint.',
  ],
  ['settle events', 'comes after COMMIT: only what is stored leaves the stream.'],
  [
    'store events',
    "stands in the client's trace again, where somebody looks for what became of the request: by then its events are committed.",
  ],
  ['dead-letter event', 'is there too, for the event that was not stored. It is kept at any sampling ratio.'],
  [
    'replay dead letters',
    'puts the letter back after the table was mended. Its `send events` links to the trace that the letter came from, and is stored by a second `process events`.',
  ],
];

/** The list of what to look at, numbered, for a terminal of this width. */
export function traceDemoGuide({ width, color }: { width: number; color: boolean }): string[] {
  const paint = (text: string): string => (color ? styleText('bold', text, { validateStream: false }) : text);
  return [
    paint('What to look at'),
    ...SIGHTS.flatMap(([span, what], at) => {
      const [first = '', ...rest] = wrap(`${span} ${what}`, Math.min(width, 100) - 4);
      return [`${at + 1}.  ${paint(span)}${first.slice(span.length)}`, ...rest.map((line) => `    ${line}`)];
    }),
  ];
}

function wrap(text: string, width: number): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1)!;
    if (line === '') lines[lines.length - 1] = word;
    else if (line.length + 1 + word.length <= width) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines;
}

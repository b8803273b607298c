import { styleText } from 'node:util';

/** What the traces show, each with its span. */
const SIGHTS: readonly (readonly [span: string, what: string])[] = [
  [
    'POST /api/events',
    "continues its client's trace, which its traceparent names. It answers 202 as soon as `send events` has the batch in Redis.",
  ],
  [
    'process events',
    'is the transaction of a writer. It serves many requests at once, so it is a trace of its own, with a link to the `send events` of each.',
  ],
  ['write events', 'is one attempt to store the batch. This one failed: the table refused an event.'],
  [
    'isolate events',
    'stores the good events and finds the bad one: `isolate rows` is the one statement that does both.',
  ],
  ['settle events', 'comes after COMMIT: only what is stored leaves the stream.'],
  [
    'store events',
    "is in the client's trace again, where you would search for the request. By then its events are committed.",
  ],
  ['dead-letter event', 'is in it too, for the event that was not stored. It is exported at any sampling ratio.'],
  [
    'replay dead letters',
    'puts the dead letter back once the table accepts it. Its `send events` links to the trace that the dead letter came from. A second `process events` stores it.',
  ],
];

/** The guide to the traces as a numbered list, for a terminal of this width. */
export function traceDemoGuide({ width, color }: { width: number; color: boolean }): string[] {
  const paint = (text: string): string => (color ? styleText('bold', text, { validateStream: false }) : text);
  return [
    paint('What the traces show'),
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

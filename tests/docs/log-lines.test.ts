import { expect, it } from 'vitest';
import { PROBLEMS_ENDED_BY } from '@sluice/local-stack/log-recoveries';
import { isListed, listedLogLines } from './listed-log-lines.ts';
import { callsIn, logCalls } from './log-calls.ts';

it('the table of log lines has every message of every daemon, with its levels, and no other', () => {
  const listed = listedLogLines();
  for (const { message, meaning } of listed) expect(meaning, message).toMatch(/^[A-Z0-9`].*\.$/);
  const rows = listed.map(({ message, levels, daemons }) => ({ message, levels, daemons }));
  expect(byMessage(rows)).toEqual(byMessage(logCalls()));
});

it('the local stack knows the end of every problem that has one', () => {
  const listed = listedLogLines();
  const messages = new Set(listed.map(({ message }) => message));
  for (const [end, problems] of Object.entries(PROBLEMS_ENDED_BY))
    for (const message of [end, ...problems]) expect(messages, message).toContain(message);
  const ends = listed.filter(({ meaning }) => meaning === 'The end of that.').map(({ message }) => message);
  expect(ends.length).toBeGreaterThan(5);
  expect(Object.keys(PROBLEMS_ENDED_BY)).toEqual(expect.arrayContaining(ends));
});

it('a line is listed by its message, its level and its daemon', () => {
  const listed = listedLogLines();
  const line = { level: 40, daemon: 'ingest-api', msg: 'batch not enqueued; answered 503' };
  expect(isListed(listed, line)).toBe(true);
  expect(isListed(listed, { ...line, level: 50 })).toBe(false);
  expect(isListed(listed, { ...line, daemon: 'query-api' })).toBe(false);
  expect(isListed(listed, { ...line, msg: 'batch not enqueued; answered 503 ' })).toBe(false);
});

it.each([
  ["logger.warn('one');", [{ level: 'warn', message: 'one' }]],
  [
    "this.#context.logger?.info({ a: [1, ')'], b: f('x', { y }) }, 'it isn\\'t');",
    [{ level: 'info', message: "it isn't" }],
  ],
  ['log.error(\n  { a },\n  // why, then\n  "it\'s two",\n);', [{ level: 'error', message: "it's two" }]],
  [
    "if (a) logger.debug(b, 'x');\nelse logger.fatal(b, 'x');",
    ['debug', 'fatal'].map((level) => ({ level, message: 'x' })),
  ],
  ["// logger.warn('no call')\ncatalog.info(1); logger.child({});", []],
])('the calls in %j', (source, calls) => {
  expect(callsIn(source, 'here')).toEqual(calls);
});

it.each([
  'logger.warn(`one ${two}`);',
  'logger.warn({}, MESSAGE);',
  "logger.warn(x ? 'a' : 'b');",
  "logger[level]({}, 'a');",
  'const write = logger.warn.bind(logger);',
  "console.error('a');",
])('%s is refused: messages are constant', (source) => {
  expect(() => callsIn(source, 'here')).toThrow(/^here: /);
});

function byMessage<T extends { message: string }>(rows: readonly T[]): T[] {
  return rows.toSorted((a, b) => a.message.localeCompare(b.message));
}

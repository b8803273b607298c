import { expect, it } from 'vitest';
import { createLogger } from '../../../src/log/logger.ts';
import { prettyOutput } from '../../../src/log/pretty-output.ts';

function written(colorize: boolean, log: (logger: ReturnType<typeof createLogger>) => void): string {
  let text = '';
  const output = prettyOutput({ write: (chunk) => void (text += chunk) }, colorize);
  log(createLogger({ daemon: 'ingest-api', version: '1', level: 'trace' }, output));
  return text;
}

it('a message is one line: time, level, daemon, message, fields', () => {
  const text = written(false, (logger) => {
    logger.info({ url: 'http://127.0.0.1:8080', tracing: { state: 'off' }, rows: 3 }, 'ready');
    logger.warn({ error: 'two words', lines: 'a\nb' }, 'it failed');
    logger.debug('nothing more');
  });
  expect(text.replaceAll(/^\d\d:\d\d:\d\d\.\d{3}/gm, 'TIME')).toBe(
    [
      'TIME INFO: ingest-api ready url=http://127.0.0.1:8080 tracing={"state":"off"} rows=3',
      'TIME WARN: ingest-api it failed error="two words" lines="a\\nb"',
      'TIME DEBUG: ingest-api nothing more',
      '',
    ].join('\n'),
  );
});

it('an error is below its line, with its causes', () => {
  const text = written(false, (logger) =>
    logger.error({ err: new Error('outer', { cause: new TypeError('inner') }), request_id: 'r1' }, 'a request failed'),
  );
  expect(text).toMatch(/ ERROR: ingest-api a request failed request_id=r1\n {4}Error: outer\n {8}at /);
  expect(text).toMatch(/\n {4}caused by TypeError: inner\n {8}at /);
});

it('text that was sent to a daemon cannot control the terminal', () => {
  const text = written(false, (logger) =>
    logger.warn({ path: '/\u001B[2J', body: 'two \u009B2J', err: new Error('not a \u001B]0;x\u0007') }, 'refused'),
  );
  expect(text).not.toMatch(/(?![\n\t])\p{Cc}/u);
  expect(text).toContain('path=/\\u001b[2J body="two \\u009b2J"\n    Error: not a \\u001b]0;x\\u0007\n');
});

it('levels have colours only where they are wanted', () => {
  expect(written(true, (logger) => logger.error('x'))).toContain('\u001B[31mERROR');
  expect(written(false, (logger) => logger.error('x'))).not.toContain('\u001B');
});

import { context, type Context, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { afterEach, expect, it } from 'vitest';
import { createLogger, type Logger } from '../../../src/log/logger.ts';

let lines: string[] = [];
const logger: Logger = createLogger(
  { daemon: 'test', version: '1', level: 'trace' },
  { write: (line) => void lines.push(line) },
);
const line = (): Record<string, unknown> => JSON.parse(lines.at(-1) ?? '') as Record<string, unknown>;
afterEach(() => {
  lines = [];
  context.disable();
});

it('a logged object loses its keys and passwords', () => {
  logger.info({ password: 'planted', options: { password: 'planted' }, authorization: 'Bearer planted' }, 'one');
  logger.info({ req: { headers: { authorization: 'Bearer planted', 'x-api-key': 'planted', host: 'h' } } }, 'two');
  logger.info({ headers: { cookie: 'planted' }, destination: { credentials: { secret_access_key: 'planted' } } }, 'x');
  expect(lines).toHaveLength(3);
  expect(lines.join('')).not.toContain('planted');
  expect(JSON.parse(lines[1]!)).toMatchObject({
    daemon: 'test',
    version: '1',
    msg: 'two',
    req: { headers: { host: 'h', authorization: '[redacted]' } },
  });
});

it.each([
  ['ioredis', { command: { name: 'auth', args: ['planted'] } }],
  ['pg', { detail: 'Key (a)=(planted)', where: 'planted', query: 'planted', parameters: ['planted'] }],
  ['an AWS client', { $response: { body: 'planted' }, $metadata: { planted: 1 }, StringToSign: 'planted' }],
  ['an HTTP client', { config: { headers: { authorization: 'planted' } }, request: { path: 'planted' } }],
  ['new URL', { input: 'planted' }],
])('of an error of %s only type, message, stack, code and causes are logged, under any name', (_whose, more) => {
  const make = (message: string) => Object.assign(new RangeError(message), { code: 'E1', ...more });
  const error = make('outer');
  error.cause = Object.assign(new AggregateError([make('one'), make('two')], 'all'), more);
  logger.error({ err: error, reason: make('other') }, 'failed');
  logger.error(make('alone'));
  expect(lines.join('')).not.toContain('planted');
  expect(JSON.parse(lines[0]!)).toMatchObject({
    err: {
      type: 'RangeError',
      message: 'outer',
      code: 'E1',
      stack: expect.stringContaining('logger.test.ts') as string,
      cause: { type: 'AggregateError', message: 'all', errors: [{ message: 'one' }, { message: 'two' }] },
    },
    reason: { type: 'RangeError', message: 'other' },
  });
  expect(line()).toMatchObject({ err: { message: 'alone' }, msg: 'alone' });
});

it('an error that is its own cause is logged', () => {
  const error = new Error('round');
  error.cause = error;
  logger.error({ err: error }, 'failed');
  expect(line()).toMatchObject({ err: { cause: { message: 'round' } } });
});

it.each([
  ['connect to redis://user:pl4nted@host:6379 failed', 'connect to redis://[redacted]@host:6379 failed'],
  ['redis://user:pl4n@pl4nted@host is away', 'redis://[redacted]@host is away'],
  ['"postgres://pl4nted@host/db?ssl=1"', '"postgres://[redacted]@host/db?ssl=1"'],
  ['postgres://host/db?password=pl4nted&ssl=1', 'postgres://host/db?password=[redacted]&ssl=1'],
  ['authorization: Bearer pl4nted-pl4nted', 'authorization: Bearer [redacted]'],
  [`slk_0123456789abcdef_${'pl4nted'.padEnd(43, 'x')} is no key`, 'slk_0123456789abcdef_[redacted] is no key'],
  ['invalid input syntax for type integer: "pl4n"ted"', 'invalid input syntax for type integer: [redacted]'],
  ['timestamp value out of range: "pl4nted"', 'timestamp value out of range: [redacted]'],
  ['postgres://host/db?token=pl4nted"', 'postgres://host/db?token=[redacted]"'],
  ['see https://host/a@b and mail@host, Bearer of news', 'see https://host/a@b and mail@host, Bearer of news'],
])('the text %s is written as %s', (text, shown) => {
  logger.warn({ error: text, err: new Error(text) }, 'failed');
  expect(lines.join('')).not.toContain('pl4nted');
  expect(line()).toMatchObject({ error: shown, err: { message: shown } });
});

// What is searched in the square of its length takes minutes here, in which a daemon would do nothing else.
it.each([
  ['what may begin a URL', 'a.'],
  ['what Postgres says before a value', 'invalid input syntax for '],
])('a line of a megabyte of %s is written as it is', (_what, repeated) => {
  const text = repeated.repeat(1_000_000 / repeated.length);
  logger.warn({ error: text }, 'failed');
  expect(line()['error']).toHaveLength(1_000_000);
});

it('a line has the ids of the active span, and none without one', () => {
  const ids = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' };
  logger.info('before');
  expect(line()).not.toHaveProperty('trace_id');
  activate(trace.setSpanContext(ROOT_CONTEXT, { ...ids, traceFlags: 1 }));
  logger.info({ a: 1 }, 'in it');
  expect(line()).toMatchObject({ trace_id: ids.traceId, span_id: ids.spanId, a: 1 });
  activate(trace.setSpanContext(ROOT_CONTEXT, { traceId: '0'.repeat(32), spanId: '0'.repeat(16), traceFlags: 0 }));
  logger.info('tracing is off');
  expect(line()).not.toHaveProperty('trace_id');
});

function activate(active: Context): void {
  context.disable();
  context.setGlobalContextManager({
    active: () => active,
    with: (_context, work, self, ...args) => work.apply(self, args),
    bind: (_context, target) => target,
    enable() {
      return this;
    },
    disable() {
      return this;
    },
  });
}

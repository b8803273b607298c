import { expect, it } from 'vitest';
import { COLLECTOR_AWAY, COLLECTOR_BACK, diagLogger } from '../../../src/log/log-tracing.ts';
import { createLogger } from '../../../src/log/logger.ts';

function collect(now: () => number) {
  const lines: Record<string, unknown>[] = [];
  const logger = createLogger(
    { daemon: 'test', version: '1', level: 'trace' },
    { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
  );
  return { lines, diag: diagLogger(logger, now) };
}

it('says that spans do not reach the collector, and when they do again', () => {
  const { lines, diag } = collect(() => 0);
  diag.warn(COLLECTOR_AWAY, new Error('connect ECONNREFUSED'));
  diag.info(COLLECTOR_BACK);
  expect(lines).toMatchObject([
    { level: 40, msg: 'spans do not reach the collector; they are dropped and counted' },
    { level: 30, msg: 'spans reach the collector again' },
  ]);
  expect(JSON.stringify(lines[0])).toContain('connect ECONNREFUSED');
});

it('logs other warnings of OpenTelemetry, at most once a minute and cut to a length', () => {
  let now = 0;
  const { lines, diag } = collect(() => now);
  diag.error('ioredis instrumentation: request hook failed', new Error('x'.repeat(2_000)));
  for (let at = 0; at < 100; at += 1) diag.warn(`Cannot execute the operation on ended Span ${at}`);
  now = 60_000;
  diag.warn('Dropping extra attributes.');
  diag.debug('chatter');
  diag.info('chatter');
  diag.verbose('chatter');
  expect(lines.map(({ msg }) => msg)).toEqual(['OpenTelemetry has a problem', 'OpenTelemetry has a problem']);
  expect(lines[0]!['problem']).toMatch(/^ioredis instrumentation: request hook failed Error: x{400,}$/);
  expect(String(lines[0]!['problem'])).toHaveLength(500);
  expect(lines[1]!['problem']).toBe('Dropping extra attributes.');
});

import { afterEach, expect, it } from 'vitest';
import { logConsole } from '../../../src/log/log-console.ts';
import { createLogger } from '../../../src/log/logger.ts';

const original = { ...console };
afterEach(() => Object.assign(console, original));

function captured(level: string): () => Record<string, unknown>[] {
  const lines: string[] = [];
  logConsole(createLogger({ daemon: 'test', version: '1', level }, { write: (line) => void lines.push(line) }));
  return () => lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

it('what a library prints becomes a line of the log, below its level when a statement was cancelled on purpose', () => {
  const lines = captured('info');
  console.error('%s is\nbroken', 'it', new Error('why'));
  console.error('`query` failed in the background after abortion: canceling statement due to user request');
  console.warn('IMPORTANT! Eviction policy is %s', 'allkeys-lru');
  console.log('hello');
  expect(lines()).toMatchObject([
    { level: 40, msg: 'a library printed an error', printed: expect.stringMatching(/^it is\nbroken Error: why/) },
    { level: 40, msg: 'a library printed a warning', printed: 'IMPORTANT! Eviction policy is allkeys-lru' },
  ]);
});

it('the properties of a printed error and of a printed object are not shown', () => {
  const lines = captured('trace');
  const error = Object.assign(new Error('WRONGPASS'), { command: { name: 'auth', args: ['planted'] } });
  console.error(error);
  console.error('failed', error, { cause: error, password: 'planted' });
  console.info(['planted'], Object.create(null), null, 7);
  expect(JSON.stringify(lines())).not.toContain('planted');
  expect(lines()).toMatchObject([
    { printed: expect.stringMatching(/^Error: WRONGPASS\n +at /) },
    { printed: expect.stringMatching(/^failed Error: WRONGPASS[^]* \[Object\]$/) },
    { level: 20, printed: '[Array] [object] null 7' },
  ]);
});

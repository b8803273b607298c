import { afterEach, expect, it } from 'vitest';
import { logConsole } from '@sluice/shared/runtime/log-console';
import { createLogger } from '@sluice/shared/runtime/logger';

const { error } = console;
afterEach(() => {
  console.error = error;
});

it('what a library prints becomes a line of the log, below its level when a statement was cancelled on purpose', () => {
  const lines: string[] = [];
  logConsole(createLogger({ daemon: 'test', version: '1', level: 'info' }, { write: (line) => void lines.push(line) }));
  console.error('%s is\nbroken', 'it', new Error('why'));
  console.error('`query` failed in the background after abortion: canceling statement due to user request');
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0]!)).toMatchObject({
    level: 40,
    printed: expect.stringMatching(/^it is\nbroken Error: why/),
  });
});

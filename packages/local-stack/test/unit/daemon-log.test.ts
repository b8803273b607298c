import { expect, test } from 'vitest';
import { describeWarning } from '../../src/daemon-log.ts';

test.for([
  [{ level: 40, msg: 'Redis is gone', err: { message: 'ECONNREFUSED' } }, 'warn   Redis is gone: ECONNREFUSED'],
  [{ level: 50, msg: 'STALLED', error: 'no such table' }, 'error  STALLED: no such table'],
  [{ level: 40, msg: 'trying again', error: 'ETIMEDOUT' }, 'warn   trying again'],
  [{ level: 60, msg: 'bad\nday' }, 'fatal  bad day'],
  [{ level: 50, msg: `x${'y'.repeat(500)}` }, `error  x${'y'.repeat(199)}…`],
  [{ level: 30, msg: 'ready' }, undefined],
  [null, undefined],
] as const)('%j is shown as %j', ([entry, shown]) => {
  expect(describeWarning(JSON.stringify(entry))).toBe(shown);
});

test('a line that is no JSON is not shown', () => {
  expect(describeWarning('(node:1) Warning: something')).toBeUndefined();
});

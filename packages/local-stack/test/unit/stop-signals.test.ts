import { expect, onTestFinished, test } from 'vitest';
import { onStopSignals } from '../../src/stop-signals.ts';

test('signals within a second are one Ctrl-C, a later one is a second', () => {
  let now = 0;
  const calls: string[] = [];
  const ignore = onStopSignals({
    now: () => now,
    stop: () => calls.push('stop'),
    force: () => calls.push('force'),
  });
  onTestFinished(ignore);
  process.emit('SIGINT');
  now = 40;
  process.emit('SIGINT');
  process.emit('SIGTERM');
  expect(calls).toEqual(['stop']);
  now = 1_500;
  process.emit('SIGINT');
  expect(calls).toEqual(['stop', 'force']);
});

import { appendFileSync, closeSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { describeWarning, openDaemonLog } from '../../src/daemon-log.ts';

/** What is shown of a log with these lines. */
function shownOf(lines: readonly object[]): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-log-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'daemon.log');
  const shown: string[] = [];
  const log = openDaemonLog({ file, show: (line) => shown.push(line) });
  closeSync(log.descriptor);
  appendFileSync(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  log.finish();
  return shown;
}

const STALLED = {
  level: 50,
  msg: 'STALLED: a batch cannot be stored and somebody has to act; nothing is lost, nothing more is fetched',
  error: 'period is closed',
};
const STORED = { level: 30, msg: 'stored after a stall; consuming continues' };

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

test('the end of a problem is shown after the problem, and only then', () => {
  expect(shownOf([STORED, { level: 30, msg: 'ready' }])).toEqual([]);
  expect(shownOf([STALLED, STALLED, STORED, STORED])).toEqual([
    `error  ${STALLED.msg}: period is closed`,
    'ok     stored after a stall; consuming continues',
  ]);
});

function dead(count: number, ...reasons: string[]): object {
  return { level: 40, msg: 'events became dead letters', dead: count, reasons };
}

test('dead letters are shown with their number, their reasons, and the command', () => {
  expect(shownOf([dead(1, 'invalid_value')])).toEqual([
    'warn   1 event became a dead letter (invalid_value): ./sluice dead-letters list',
  ]);
  expect(shownOf([dead(3, 'invalid_value'), dead(1_200, 'not_null', 'invalid_value')])).toEqual([
    'warn   1,203 events became dead letters (invalid_value, not_null): ./sluice dead-letters list',
  ]);
});

test('nothing in a line controls the terminal', () => {
  const hostile = 'amount must be a number, got "\u001b]0;x\u0007\u009b2J\u202e\u200b"';
  expect(shownOf([{ ...STALLED, error: hostile }])[0]).toMatch(/got "\\u001b\]0;x\\u0007\\u009b2J\\u202e\\u200b"$/);
});

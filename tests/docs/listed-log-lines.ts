import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { LogCall } from './log-calls.ts';
import { tableRows } from './table-rows.ts';

/** A row of the table in docs/reference/log-lines.md. */
export interface ListedLine extends LogCall {
  readonly meaning: string;
}

/** The log's contract. */
export function listedLogLines(): ListedLine[] {
  const page = readFileSync(resolve(import.meta.dirname, '../../docs/reference/log-lines.md'), 'utf8');
  const section = page.split('<!-- logs -->')[1]?.split('\n## ')[0] ?? '';
  return tableRows(section).map(([message = '', levels = '', daemons = '', meaning = '']) => ({
    message: message.slice(1, -1),
    levels,
    daemons,
    meaning,
  }));
}

/** pino's numbers of levels. */
const LEVELS: Readonly<Record<number, string>> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal',
};

/** Whether the table lists a daemon's line, with its level and its daemon. */
export function isListed(listed: readonly ListedLine[], line: Record<string, unknown>): boolean {
  const found = listed.find(({ message }) => message === line['msg']);
  if (found === undefined) return false;
  const level = LEVELS[Number(line['level'])] ?? '';
  return (
    found.levels.split(', ').includes(level) &&
    (found.daemons === 'all' || found.daemons.split(', ').includes(String(line['daemon'])))
  );
}

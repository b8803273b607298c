import { expect, it } from 'vitest';
import { markdownFiles, readPage } from './markdown-files.ts';

const records = markdownFiles().filter(({ path }) => /^docs\/decisions\/\d{4}-/.test(path));

/** Number, title without code marks, file and status, as each record says them. */
const ofRecords = records.map(({ path, text }) => {
  const file = path.split('/').at(-1)!;
  const [, number = '', title = ''] = /^# (\d+)\. (.+)\n/.exec(text) ?? [];
  const [, status = ''] = /^\*\*Status:\*\* (proposed|accepted|superseded)\b/m.exec(text) ?? [];
  return [number.padStart(4, '0'), title.replaceAll('`', ''), file, status];
});

it('docs/decisions/README.md lists every record with its title and status, and no other', () => {
  expect(records.length).toBeGreaterThan(10);
  const rows = [...readPage('docs/decisions/README.md').text.matchAll(/^\| (\d{4}) \| \[(.+)\]\((.+)\) \| (\w+) \|/gm)];
  expect(rows.map(([, ...cells]) => cells)).toEqual(ofRecords);
});

it('a record is numbered as its file is, and a superseded one names its successor', () => {
  for (const [number, , file, status] of ofRecords) {
    expect(file!.slice(0, 4)).toBe(number);
    expect(status, file).not.toBe('');
    if (status !== 'superseded') continue;
    expect(readPage('docs/decisions/README.md').text, file).toMatch(
      new RegExp(`\\(${file!}\\) \\| superseded \\| \\[\\d+\\]\\(\\d{4}-`),
    );
  }
});

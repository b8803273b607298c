import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ConfigError } from '../../../src/config/config-error.ts';
import { isReadableByOthers, readEnvFile } from '../../../src/config/env-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-env-file-'));
const path = join(folder, '.env');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function read(content: string | Buffer) {
  writeFileSync(path, content);
  return readEnvFile(path);
}

function problemsOf(content: string | Buffer): readonly string[] {
  try {
    read(content);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

const swapped = (text: string): Buffer => Buffer.from(text, 'utf16le').swap16();

it('there need not be a file', () => {
  expect(readEnvFile(join(folder, 'none'))).toEqual({});
});

it.each([
  ['a byte order mark', '\uFEFFAPI_KEY=secret-one\r\nINGEST_PORT=20320\r\n'],
  ['CRLF', 'API_KEY=secret-one\r\nINGEST_PORT=20320\r\n'],
  [
    'quotes, export, spaces and comments',
    '# a "comment\n export API_KEY = "secret-one" # why\n\nINGEST_PORT=20320 # it\'s',
  ],
])('%s costs no variable', (_, content) => {
  expect(read(content)).toEqual({ API_KEY: 'secret-one', INGEST_PORT: '20320' });
});

it.each([
  ['a value with several lines', 'A="one\ntwo"\nB=2', { A: 'one\ntwo', B: '2' }],
  ['a # begins a comment, except in quotes', 'A=abc#def\nB="abc#def"', { A: 'abc', B: 'abc#def' }],
  ['an apostrophe in a word', "A=it's", { A: "it's" }],
  ['a quote in other quotes', "A='\"x'", { A: '"x' }],
  ['an equals sign', 'A==x', { A: '=x' }],
  ['nothing', '\n  \n', {}],
])('%s is read as it was meant', (_, content, values) => {
  expect(read(content)).toEqual(values);
});

describe('another encoding is refused, naming the file and how to save it', () => {
  const text = 'API_KEY=secret-one\nINGEST_PORT=20320\n';
  it.each([
    ['UTF-16 LE with a mark', Buffer.from(`\uFEFF${text}`, 'utf16le')],
    ['UTF-16 LE without one', Buffer.from(text, 'utf16le')],
    ['UTF-16 BE with a mark', swapped(`\uFEFF${text}`)],
    ['UTF-16 BE without one', swapped(text)],
    ['UTF-16 of non-ASCII characters alone', Buffer.from('\uFEFF密码', 'utf16le')],
    ['UTF-8 to which a shell appended UTF-16', Buffer.concat([Buffer.from(text), Buffer.from(text, 'utf16le')])],
    ['Latin-1', Buffer.from('API_KEY=sécret-one\n', 'latin1')],
  ])('%s', (_, content) => {
    const problems = problemsOf(content);
    expect(problems).toEqual([expect.stringMatching(/\.env is not UTF-8.* Save it as UTF-8: in Notepad/)]);
    expect(problems[0]).not.toContain('secret');
  });
});

it.each([
  [
    'a name with a dash',
    'A=1\nAPI-KEY=secret-one',
    /line 2 sets API-KEY: the name of a variable has A-Z, 0-9 and _ only$/,
  ],
  ['a name that begins with a digit', '1KEY=secret-one', /line 1 sets 1KEY: /],
  ['a name with a space', 'API KEY=secret-one', /line 1: the name of a variable/],
  ['a URL on a line of its own', 'postgres://u:secret-one@host/db?sslmode=require', /line 1: the name of a variable/],
  ['a colon for the equals sign', 'API_KEY: secret-one', /line 1 sets no variable; write NAME=value$/],
  ['a line without an equals sign', '\n\nAPI_KEY secret-one', /line 3 sets no variable/],
  ['a quote without an end', 'API_KEY="secret-one\nB=2\n', /line 1: the quote of API_KEY is not closed$/],
  [
    'a quote that ends in the next value',
    'API_KEY="secret-one\nB="x"\n',
    /line 1: after the quote of API_KEY there is more text$/,
  ],
  ['text after a quote', "API_KEY='it's'", /after the quote of API_KEY/],
  [
    'a byte order mark of a second file',
    'A=1\n\uFEFFAPI_KEY=secret-one',
    /sets a name with invisible characters .* near API_KEY$/,
  ],
  ['two byte order marks', '\uFEFF\uFEFFAPI_KEY=secret-one', /near API_KEY$/],
  ['a no-break space after a name', 'API_KEY\u00A0=secret-one', /near API_KEY$/],
  ['a no-break space before a name', '\u00A0API_KEY=secret-one', /near API_KEY$/],
  ['a form feed before a name', '\fAPI_KEY=secret-one', /near API_KEY$/],
  ['export with a tab', 'export\tAPI_KEY=secret-one', /near export API_KEY$/],
  ['line ends of CR alone', 'API_KEY=secret-one\rB=2\r', /line ends of CR alone/],
])('%s is refused', (_, content, problem) => {
  const problems = problemsOf(content);
  expect(problems).toEqual([expect.stringMatching(problem)]);
  expect(problems[0]).not.toContain('secret-one');
});

it('a folder of that name is refused', () => {
  expect(() => readEnvFile(folder)).toThrow(ConfigError);
});

it('notices that others may read the file', () => {
  read('A=1');
  chmodSync(path, 0o600);
  expect(isReadableByOthers(path)).toBe(false);
  chmodSync(path, 0o640);
  expect(isReadableByOthers(path)).toBe(false);
  chmodSync(path, 0o644);
  expect(isReadableByOthers(path)).toBe(true);
  expect(isReadableByOthers(join(folder, 'none'))).toBe(false);
});

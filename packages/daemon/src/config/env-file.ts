import { readFileSync, statSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { ConfigError } from './config-error.ts';

const NAME = /^[A-Za-z_]\w*$/;
const HOW_TO_SAVE =
  'Save it as UTF-8: in Notepad with "Save as" and the encoding UTF-8, in PowerShell with Set-Content -Encoding utf8.';

/**
 * Reads a file of variables, as Node's `--env-file` does. A byte order mark is ignored.
 *
 * @returns nothing when there is no such file
 * @throws ConfigError when Node's parser would leave something out: another encoding than UTF-8, a line that sets
 *   nothing, a name that cannot be a variable's, a quote that is not closed
 */
export function readEnvFile(path: string): NodeJS.Dict<string> {
  const text = decode(readBytes(path), path);
  if (text === null) return {};
  const problems = problemsOf(text, path);
  if (problems.length > 0) throw new ConfigError(problems);
  const values = parseEnv(text);
  const strange = Object.keys(values).filter((name) => !NAME.test(name));
  if (strange.length > 0)
    throw new ConfigError([
      `${path} sets a name with invisible characters or a tab in it, near ${strange.map(visible).join(', ')}`,
    ]);
  return values;
}

/** What of a name is letters, digits and _. */
function visible(name: string): string {
  return name.replaceAll(/\W+/g, ' ').trim().slice(0, 40);
}

/** Whether other users of this machine may read a file. False when there is none, and on Windows. */
export function isReadableByOthers(path: string): boolean {
  if (process.platform === 'win32') return false;
  const mode = statSync(path, { throwIfNoEntry: false })?.mode ?? 0;
  return (mode & 0o004) !== 0;
}

/** Names that a file of variables sets more than once, each to another value. Nothing when the file cannot be read. */
export function repeatedNames(path: string): string[] {
  const values = Map.groupBy(assignmentsIn(path), ({ name }) => name);
  return [...values].filter(([, all]) => new Set(all.map(({ line }) => valueIn(line))).size > 1).map(([name]) => name);
}

/**
 * Names whose value in a file of variables refers to another variable, as `${NAME}`. Compose and shells put its value there,
 * Node and systemd do not. Nothing within single quotes, where all of them leave it.
 */
export function namesWithReference(path: string): string[] {
  return assignmentsIn(path)
    .filter(({ line }) => /\$\{\w+/.test(valueIn(line) ?? '') && !/=\s*'/.test(line))
    .map(({ name }) => name);
}

/** The lines that set a variable. Nothing when the file cannot be read: `readEnvFile` refuses it. */
function assignmentsIn(path: string): { readonly name: string; readonly line: string }[] {
  let text: string | null;
  try {
    text = decode(readBytes(path), path);
  } catch {
    return [];
  }
  return [...(text ?? '').replaceAll('\r\n', '\n').matchAll(LINE)].flatMap(({ 0: line, groups }) =>
    groups?.['name'] === undefined ? [] : [{ name: groups['name'], line }],
  );
}

/** What a line of a file of variables sets. */
function valueIn(line: string): string | undefined {
  return Object.values(parseEnv(line))[0];
}

function readBytes(path: string): Buffer | null {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new ConfigError([`${path} cannot be read: ${(error as Error).message}`]);
  }
}

/** @returns the text without a byte order mark */
function decode(bytes: Buffer | null, path: string): string | null {
  if (bytes === null) return null;
  // UTF-16 and UTF-32 have these in every ASCII character, with a mark or without one.
  if (bytes.includes(0) || /^(?:\xff\xfe|\xfe\xff)/.test(bytes.toString('latin1', 0, 2)))
    throw new ConfigError([`${path} is not UTF-8 but looks like UTF-16. ${HOW_TO_SAVE}`]);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new ConfigError([`${path} is not UTF-8. ${HOW_TO_SAVE}`]);
  }
}

/** An assignment, whose quoted value may have several lines; a comment; or any other line. */
const LINE =
  /^[^\S\n]*(?:(?:export\s+)?(?<name>[^\s=#][^=\n]*?)[^\S\n]*=[^\S\n]*(?:(?:"[^"]*"|'[^']*'|`[^`]*`)[^\S\n]*(?<after>[^\n]*)|(?<open>["'`])[^\n]*|[^\n]*)|#[^\n]*|(?<other>[^\n]+))$/gm;

/** What the parser would skip or cut. A line may hold a secret, so only its number and name are shown. */
function problemsOf(text: string, path: string): string[] {
  if (/\r(?!\n)/.test(text)) return [`${path} has line ends of CR alone; save it with LF or CRLF`];
  const lines = text.replaceAll('\r\n', '\n');
  return [...lines.matchAll(LINE)].flatMap(({ groups = {}, index }) => {
    const { name, after = '', open, other } = groups;
    const where = `${path} line ${lines.slice(0, index).split('\n').length}`;
    if (other !== undefined) return other.trim() === '' ? [] : [`${where} sets no variable; write NAME=value`];
    if (name === undefined) return [];
    if (!NAME.test(name)) return [`${where}${shown(name)}: the name of a variable has A-Z, 0-9 and _ only`];
    if (open !== undefined) return [`${where}: the quote of ${name} is not closed`];
    if (after !== '' && !after.startsWith('#')) return [`${where}: after the quote of ${name} there is more text`];
    return [];
  });
}

/** A name, unless it may be something else, such as the beginning of a URL with a password. */
function shown(name: string): string {
  return /^[\w.-]{1,40}$/.test(name) ? ` sets ${name}` : '';
}

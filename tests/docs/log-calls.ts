import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

const REPOSITORY = resolve(import.meta.dirname, '../..');
const DAEMONS = ['ingest-api', 'query-api', 'writer-worker', 'maintenance-worker'];
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];

/** A line that daemons may write. */
export interface LogCall {
  readonly message: string;
  /** Joined with commas, the least severe first. */
  readonly levels: string;
  /** Joined with commas; `all` for all four. */
  readonly daemons: string;
}

/**
 * Finds every log message in the files that the daemons' main.ts files import, directly or not.
 *
 * @throws for a call whose last argument is not a string literal: messages are constant, facts are fields
 */
export function logCalls(): LogCall[] {
  const found = new Map<string, { levels: Set<string>; daemons: Set<string> }>();
  for (const daemon of DAEMONS) {
    for (const file of sourcesOf(join(REPOSITORY, 'packages', daemon, 'src/main.ts'))) {
      for (const { message, level } of callsIn(readFileSync(file, 'utf8'), relative(REPOSITORY, file))) {
        const entry = found.get(message) ?? { levels: new Set(), daemons: new Set() };
        entry.levels.add(level);
        entry.daemons.add(daemon);
        found.set(message, entry);
      }
    }
  }
  return [...found].map(([message, { levels, daemons }]) => ({
    message,
    levels: LEVELS.filter((level) => levels.has(level)).join(', '),
    daemons: daemons.size === DAEMONS.length ? 'all' : DAEMONS.filter((daemon) => daemons.has(daemon)).join(', '),
  }));
}

/** Finds a file and all files of Sluice that it needs when it runs, without imports of types. */
function sourcesOf(main: string): Set<string> {
  const files = new Set([main]);
  for (const file of files) {
    const text = readFileSync(file, 'utf8');
    const imports = [
      ...text.matchAll(/^(?:import|export)\s(?!type\b)[^;]*?\bfrom '([^']+)';/gm),
      ...text.matchAll(/^import '([^']+)';/gm),
      ...text.matchAll(/\bimport\('([^']+)'\)/g),
    ];
    for (const [, name = ''] of imports) {
      const own = /^@sluice\/([\w-]+)\/(.+)$/.exec(name);
      const path = own ? join(folderOf(own[1]!), 'src', `${own[2]!}.ts`) : resolve(dirname(file), name);
      if (own === null && !name.startsWith('.')) continue;
      if (!existsSync(path)) throw new Error(`${relative(REPOSITORY, file)} imports ${name}, which is not found`);
      if (path.endsWith('.ts')) files.add(path);
    }
  }
  return files;
}

/** Where a package of the workspace is. */
function folderOf(name: string): string {
  const contract = join(REPOSITORY, 'packages/shared', name);
  return existsSync(contract) ? contract : join(REPOSITORY, 'packages', name);
}

/** @param where names the source in errors */
export function callsIn(source: string, where: string): { message: string; level: string }[] {
  const code = withoutComments(source);
  const printed = /\bconsole\.\w+\(/.exec(code);
  if (printed !== null) throw new Error(`${where}: ${printed[0]}…) is no line of the log`);
  return [...code.matchAll(/\b(?:logger|log)\b(?:\?\.|\.|(?=\[))(\w+|\[)/g)].flatMap((match) => {
    const [text, level = ''] = match;
    if (level !== '[' && !LEVELS.includes(level)) return [];
    const last = code[match.index + text.length] === '(' ? argumentsAt(code, match.index + text.length).at(-1) : '';
    const message = /^'((?:[^'\\]|\\')*)'$|^"([^"\\]*)"$/.exec(last ?? '');
    if (message === null) throw new Error(`${where}: ${text}(… ${last}): the message is not a string literal`);
    return [{ level, message: (message[1] ?? message[2] ?? '').replaceAll("\\'", "'") }];
  });
}

/** A string, a template without nested templates, or a comment. */
const QUOTED = /'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`|\/\*[^]*?\*\/|\/\/[^\n]*/g;

function withoutComments(source: string): string {
  return source.replaceAll(QUOTED, (text) => (text.startsWith('/') ? ' ' : text));
}

/** The arguments of a call, whose opening parenthesis is at `start`. */
function argumentsAt(code: string, start: number): string[] {
  const parts = [''];
  let depth = 0;
  for (const [token] of code.slice(start).matchAll(new RegExp(`${QUOTED.source}|[^]`, 'g'))) {
    if ('([{'.includes(token)) depth += 1;
    if (')]}'.includes(token)) depth -= 1;
    if (depth === 0) break;
    if (token === ',' && depth === 1) parts.push('');
    else parts.push(`${parts.pop() ?? ''}${token}`);
  }
  return parts.map((part) => part.replace(/^\(/, '').trim()).filter((part) => part !== '');
}

import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';

const MODULE = pathToFileURL(resolve(import.meta.dirname, '../../../src/log/log-output.ts')).href;
/** Writes a line, and says whether pino-pretty was loaded for it. */
const SCRIPT = `
  import { Module } from 'node:module';
  const { logOutput } = await import(${JSON.stringify(MODULE)});
  (await logOutput(process.argv[1])).write('{"level":30,"time":0,"daemon":"d","msg":"m"}\\n');
  process.stderr.write(String(Object.keys(Module._cache).some((path) => path.includes('pino-pretty'))));
  process.exit(0);`;

it.each([
  ['json', /^\{"level":30,.*\}\n$/],
  ['auto', /^\{"level":30,.*\}\n$/],
  ['pretty', /^[\d:.]+ INFO: d m\n$/],
])('LOG_FORMAT=%s, where standard output is no terminal', (format, line) => {
  // The last line before the end of the process is there in any case.
  expect(run(format, '2>/dev/null')).toMatch(line);
  expect(run(format, '2>&1 >/dev/null')).toBe(String(format === 'pretty'));
});

function run(format: string, redirection: string): string {
  const command = `"$0" --input-type=module -e "$1" "$2" ${redirection}`;
  return execFileSync('/bin/sh', ['-c', command, process.execPath, SCRIPT, format], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] },
  });
}

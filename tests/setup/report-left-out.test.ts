import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { runCommand } from '@sluice/testkit/run-command';
import { LONG_SUITES } from '../long/suites.ts';

const VITEST = resolve(import.meta.dirname, '../../node_modules/vitest/vitest.mjs');
const FIXTURES = join(import.meta.dirname, 'fixtures/left-out');
const PROGRAM = '1 passed, 0 failed, 2 skipped. Left out: 2 tests (some-program is missing).';
const OTHERS =
  '1 passed, 0 failed, 2 skipped. Left out: 1 test (there is no some.file); 1 test (no disk can be mounted).';
const HOOK = '1 passed, 1 failed, 2 skipped. Left out: 2 tests (a hook failed).';
const NO_REASON = '1 passed, 0 failed, 1 skipped. Left out: 1 test (no reason is given).';

async function run(args: string[], env: Record<string, string>): Promise<{ code: number | null; last: string }> {
  const { code, stdout } = await runCommand(VITEST, ['run', '--root', FIXTURES, ...args], { cwd: FIXTURES, env });
  return { code, last: stdout.trimEnd().split('\n').at(-1)! };
}

it.each([
  { what: 'a missing program', file: 'program-missing', ci: 'false', code: 0, last: PROGRAM },
  { what: 'a missing program in CI', file: 'program-missing', ci: 'true', code: 1, last: PROGRAM },
  { what: 'a missing file in CI', file: 'file-missing', ci: 'true', code: 0, last: OTHERS },
  { what: 'a hook that failed', file: 'hook-failed', ci: 'true', code: 1, last: HOOK },
  { what: 'nothing said', file: 'no-reason', ci: 'false', code: 0, last: NO_REASON },
  { what: 'nothing said in CI', file: 'no-reason', ci: 'true', code: 1, last: NO_REASON },
])('the last line says what was skipped for $what, and the exit code is $code', async ({ file, ci, code, last }) => {
  expect(await run(['--project', 'bench', file], { CI: ci })).toEqual({ code, last });
});

it('the last line of the test command names each long suite by its command', async () => {
  const { code, last } = await run(['--project', 'unit', '--project', 'servers', 'file-missing'], { CI: 'true' });
  expect(code).toBe(0);
  for (const { name } of LONG_SUITES) expect(last).toContain(`npx -y pnpm@12 test:long ${name}`);
});

it('tests that -t does not choose are not left out', async () => {
  const { code, last } = await run(['--project', 'bench', '-t', 'runs', 'no-reason'], { CI: 'true' });
  expect(code).toBe(0);
  expect(last).toBe('1 passed, 0 failed, 1 skipped. Left out: nothing.');
});

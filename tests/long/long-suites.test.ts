import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCommand } from '@sluice/testkit/run-command';
import config from '../../vitest.config.ts';
import { readOptions } from './long-options.ts';
import { LONG_SUITES } from './suites.ts';

const REPOSITORY = resolve(import.meta.dirname, '../..');
const MAIN = join(import.meta.dirname, 'main.ts');
const NAMES = LONG_SUITES.map(({ name }) => name);

describe('test:long', () => {
  it.each(['everything', 'bench deploi', '--shrt'])('%s is an error of use that names the suites', async (line) => {
    const { code, stdout, stderr } = await runCommand(MAIN, line.split(' '), { cwd: REPOSITORY });
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/there is no long suite "(?:everything|deploi)"|Unknown option '--shrt'/);
    for (const name of NAMES) expect(stderr).toContain(name);
  });

  it.each(['--help', '--list'])('%s names every suite', async (option) => {
    const { code, stdout } = await runCommand(MAIN, [option], { cwd: REPOSITORY });
    expect(code).toBe(0);
    for (const name of NAMES) expect(stdout).toContain(name);
  });

  it('without a name runs all, in the short form if asked to', () => {
    expect(readOptions(['--short'])).toEqual({ kind: 'run', suites: LONG_SUITES, short: true });
    expect(readOptions([])).toEqual({ kind: 'run', suites: LONG_SUITES, short: false });
    expect(readOptions([NAMES[1]!])).toEqual({ kind: 'run', suites: [LONG_SUITES[1]], short: false });
  });
});

it('every long suite runs something that is there', () => {
  const projects = config.test?.projects?.map((project) => (project as { test: { name: string } }).test.name);
  expect(projects).toContain('unit');
  for (const { name, full, short } of LONG_SUITES) {
    for (const [program, ...args] of [...full, ...short]) {
      if (program === 'node') expect(existsSync(join(REPOSITORY, args[0]!)), name).toBe(true);
      const at = args.indexOf('--project');
      if (at !== -1) expect(projects, name).toContain(args[at + 1]);
    }
  }
});

import type { Reporter, TestCase, TestModule, TestSuite, Vitest } from 'vitest/node';
import type { Need } from '@sluice/testkit/needs';
import { LONG_SUITES } from '../long/suites.ts';

const NO_REASON = 'no reason is given';

/**
 * Prints on the last line how many tests passed, failed and were skipped, and what the run left out. A group whose hook
 * failed, or an error outside of all tests, counts as one failed test. With CI=true a test that was skipped because a
 * program is missing, or without a reason, makes the run fail.
 */
export default class ReportLeftOut implements Reporter {
  #vitest: Vitest | undefined;

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const count = (state: 'passed' | 'failed' | 'skipped'): number =>
      tests.filter((test) => test.result().state === state).length;
    const groups = modules.flatMap((module) => [module, ...module.children.allSuites()]);
    const failed = count('failed') + groups.filter(hasFailed).length + unhandledErrors.length;
    // Tests that `-t` did not choose are skipped too; nothing is missing then.
    const chosen = this.#vitest?.config.testNamePattern !== undefined;
    const skipped = chosen ? [] : tests.filter((test) => test.result().state === 'skipped').map(needOf);
    const leftOut = [...(this.#isTestCommand() && !chosen ? [longSuites()] : []), ...inWords(skipped)];
    const lines = [
      `${count('passed')} passed, ${failed} failed, ${count('skipped')} skipped. ` +
        `Left out: ${leftOut.length === 0 ? 'nothing' : leftOut.join('; ')}.`,
    ];
    if (process.env['CI'] === 'true' && skipped.some(mustRunInCi)) {
      lines.unshift('With CI=true nothing may be left out because a program is missing, or without a reason.');
      process.exitCode = 1;
    }
    // After what other reporters and the tear-down of servers print.
    process.once('exit', () => process.stdout.write(`${lines.join('\n')}\n`));
  }

  /** Whether this is all that `pnpm test` runs, and not a file or a long suite. */
  #isTestCommand(): boolean {
    const projects = this.#vitest?.projects.map(({ name }) => name) ?? [];
    return projects.includes('unit') && projects.includes('servers') && !projects.includes('faults');
  }
}

function longSuites(): string {
  return `long suites (${LONG_SUITES.map(({ name }) => `npx -y pnpm@12 test:long ${name}`).join(', ')})`;
}

/** Why a test was skipped: what it noted itself, or what its options or those of a group around it say. */
function needOf(test: TestCase): Need {
  const result = test.result();
  if (result.state === 'skipped' && result.note !== undefined) return { what: result.note, program: false };
  for (let task: TestCase | TestSuite | TestModule = test; task.type !== 'module'; task = task.parent) {
    const { needs } = task.meta();
    if (needs !== undefined) return needs;
    if (hasFailed(task.parent)) return { what: 'a hook failed', program: false };
  }
  return { what: NO_REASON, program: false };
}

function hasFailed(group: TestSuite | TestModule): boolean {
  return group.errors().length > 0;
}

function mustRunInCi({ what, program }: Need): boolean {
  return program || what === NO_REASON;
}

function inWords(skipped: readonly Need[]): string[] {
  return [...Map.groupBy(skipped, ({ what }) => what)].map(
    ([what, { length }]) => `${length} ${length === 1 ? 'test' : 'tests'} (${what})`,
  );
}

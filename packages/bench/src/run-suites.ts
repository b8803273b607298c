import { writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import type { BenchOptions } from './bench-options.ts';
import { describeRun } from './describe-run.ts';
import { firstMessageOf } from './first-message.ts';
import type { Suite } from './suites/suites.ts';
import type { SuiteContext } from './with-servers.ts';

/** Fewer rounds have too few values for a spread. */
const ROUNDS_THAT_SAY_SOMETHING = 5;

/**
 * Runs suites one after the other, prints what each found, and writes the figures of all after each of them. A failed
 * suite is reported and does not prevent the others; after a stop no suite begins.
 *
 * @param out where the figures are written as JSON
 * @returns whether all went well
 */
export async function runSuites(
  suites: readonly Suite[],
  options: BenchOptions,
  context: SuiteContext,
  { out, env }: { out: string; env: NodeJS.ProcessEnv },
): Promise<boolean> {
  const { progress, signal } = context;
  const run = await describeRun(env);
  const found: Record<string, object> = {};
  let written = false;
  let failed = false;
  const fail = (message: string): void => {
    progress.line(`error: ${message}`);
    failed = true;
  };
  const write = async (): Promise<void> => {
    const figures = { at: new Date().toISOString(), ...run, options, suites: found };
    await writeFile(out, `${JSON.stringify(figures, null, 2)}\n`).then(
      () => (written = true),
      (error: unknown) => fail(`the figures could not be written: ${firstMessageOf(error)}`),
    );
  };
  for (const { name, run: measure } of suites) {
    if (signal.aborted) break;
    const startedAt = new Date().toISOString();
    const loadAtStart = loadavg()[0] ?? 0;
    try {
      const { text, json } = await measure(options, context);
      progress.stop();
      const about = `${run.machine.cores} cores, load ${loadAtStart.toFixed(1)} at the start, rounds: ${options.rounds}`;
      process.stdout.write(`\n## ${name}\n\n${about}\n\n${text}\n${caution(options)}`);
      found[name] = { startedAt, at: new Date().toISOString(), loadAtStart, ...(json as object) };
      // After each suite: a failure of the last one must not lose hours of figures.
      await write();
    } catch (error) {
      progress.stop();
      if (signal.aborted) break;
      fail(`${name}: ${firstMessageOf(error)}`);
      found[name] = { startedAt, at: new Date().toISOString(), loadAtStart, error: firstMessageOf(error) };
      // Only with figures: an older file is worth more than a failure alone.
      if (written) await write();
    }
  }
  if (written) progress.line(`figures: ${out}`);
  return !failed;
}

/** A note under the table when its figures say less than they seem to. */
function caution({ quick, rounds }: BenchOptions): string {
  if (quick) return '- quick: this shows that it works, and nothing about speed\n';
  if (rounds < ROUNDS_THAT_SAY_SOMETHING) return `- spreads of ${rounds} of the usual 5 rounds say little\n`;
  return '';
}

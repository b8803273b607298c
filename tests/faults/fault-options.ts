import { parseArgs } from 'node:util';
import { FAULTS } from './all-faults.ts';

export type FaultOptions =
  | { readonly kind: 'help' }
  | { readonly kind: 'mistake'; readonly message: string }
  | {
      readonly kind: 'run';
      readonly minutes: number;
      readonly seed: number;
      readonly only: string | null;
      readonly json: boolean;
    };

export const HELP = `pnpm faults: breaks the pipeline in every way we know, under load, and proves that nothing is lost.

  --minutes N   goes round until N minutes have passed; without it each fault runs once
  --seed S      where chance starts; each round takes the next one (default 1)
  --only NAME   just this fault
  --json        the report as JSON
  --help        this text

Faults:
${FAULTS.map((fault) => `  ${fault.name.padEnd(30)}${fault.does}`).join('\n')}

Exit code: 0 everything held, 1 something did not, 2 a mistake in the options.
Examples:
  pnpm faults --only redis-kill --seed 7
  pnpm faults --minutes 30 --seed 1 --json > faults.json
`;

/** Reads the command line. */
export function readOptions(args: readonly string[]): FaultOptions {
  let values;
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        minutes: { type: 'string', default: '0' },
        seed: { type: 'string', default: '1' },
        only: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }));
  } catch (error) {
    return { kind: 'mistake', message: (error as Error).message };
  }
  if (values.help) return { kind: 'help' };
  const minutes = Number(values.minutes);
  const seed = Number(values.seed);
  const only = values.only ?? null;
  if (!Number.isFinite(minutes) || minutes < 0)
    return { kind: 'mistake', message: '--minutes must be a number, 0 or more' };
  if (!Number.isSafeInteger(seed)) return { kind: 'mistake', message: '--seed must be a whole number' };
  if (only !== null && !FAULTS.some((fault) => fault.name === only))
    return { kind: 'mistake', message: `there is no fault ${only}` };
  return { kind: 'run', minutes, seed, only, json: values.json };
}

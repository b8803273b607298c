import { parseArgs } from 'node:util';
import { LONG_SUITES, type LongSuite } from './suites.ts';

export type LongOptions =
  | { readonly kind: 'help' | 'list' }
  | { readonly kind: 'mistake'; readonly message: string }
  | { readonly kind: 'run'; readonly suites: readonly LongSuite[]; readonly short: boolean };

const NAMES = LONG_SUITES.map(({ name }) => name).join(', ');

export const HELP = `pnpm test:long [SUITE...]: the tests that \`pnpm test\` leaves out; without SUITE all of them, one after the other.

  --short   the short form, which continuous integration runs
  --list    what each suite proves and needs
  --help    this text

Suites: ${NAMES}
Exit code: 0 everything passed, 1 something did not, 2 a mistake in the options.
Examples:
  npx -y pnpm@12 test:long bench
  npx -y pnpm@12 test:long --short
`;

/** Reads the command line. */
export function readOptions(args: readonly string[]): LongOptions {
  let parsed;
  try {
    parsed = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        short: { type: 'boolean', default: false },
        list: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    return { kind: 'mistake', message: `${(error as Error).message}\n\n${HELP}` };
  }
  const { values, positionals } = parsed;
  if (values.help) return { kind: 'help' };
  if (values.list) return { kind: 'list' };
  const unknown = positionals.find((name) => !LONG_SUITES.some((suite) => suite.name === name));
  if (unknown !== undefined)
    return { kind: 'mistake', message: `there is no long suite "${unknown}"; there are: ${NAMES}` };
  const suites = LONG_SUITES.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  return { kind: 'run', suites, short: values.short };
}

/** Each suite with what it proves and needs. */
export function listOfSuites(): string {
  return LONG_SUITES.map(({ name, proves, needs }) => `${name}: ${proves}\n  needs ${needs}\n`).join('');
}

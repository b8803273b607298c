import { describe, expect, it } from 'vitest';
import { ConfigError } from '@sluice/daemon/config/config-error';
import { INGEST_VARIABLES, readIngestConfig } from '@sluice/ingest-api/config';
import { MAINTENANCE_VARIABLES, readMaintenanceConfig } from '@sluice/maintenance-worker/config';
import { QUERY_VARIABLES, readQueryConfig } from '@sluice/query-api/config';
import { readWriterConfig, WRITER_VARIABLES } from '@sluice/writer-worker/config';

/** What a schema says of a variable. */
interface Variable {
  readonly type: 'string' | 'integer' | 'number' | 'boolean';
  readonly default?: string | number | boolean;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly check?: unknown;
  readonly refuseEmpty?: boolean;
}

type Environment = Readonly<Record<string, string>>;

const DAEMONS: readonly (readonly [string, { properties: object }, (environment: Environment) => object])[] = [
  ['ingest-api', INGEST_VARIABLES, readIngestConfig],
  ['writer-worker', WRITER_VARIABLES, readWriterConfig],
  ['maintenance-worker', MAINTENANCE_VARIABLES, readMaintenanceConfig],
  ['query-api', QUERY_VARIABLES, readQueryConfig],
];

/** What every daemon starts with here; ingest does not read it. */
const BASE: Environment = { DATABASE_URL: 'postgres://u:p@h/d' };

const BLANKS = ['', ' ', '\t\r\n'];

describe.each(DAEMONS)('%s', (_, { properties }, read) => {
  const variables = Object.entries(properties) as [string, Variable][];

  /** The configuration, or the names of the variables that are refused. */
  function outcome(environment: Environment): Record<string, unknown> | string[] {
    try {
      // Without what holds functions.
      return JSON.parse(JSON.stringify(read(environment))) as Record<string, unknown>;
    } catch (error) {
      if (error instanceof ConfigError) return error.problems.map((problem) => problem.split(' ')[0]!);
      throw error;
    }
  }
  const of = (name: string, value: string) => outcome({ ...BASE, [name]: value });

  it.each(
    variables.flatMap(([name, { refuseEmpty }]) => {
      const { [name]: _without, ...others } = BASE;
      return BLANKS.map((blank) => [name, blank, refuseEmpty ? [name] : outcome(others)] as const);
    }),
  )('%s=%j is as if it were not set, or refused where that would let everybody in', (name, blank, expected) => {
    expect(of(name, blank)).toEqual(expected);
  });

  it.each(
    variables.flatMap(([name, variable]) => {
      const wrong = wrongType(variable);
      return wrong === null ? [] : [[name, wrong] as const];
    }),
  )('%s=%j is of the wrong type and refused by its name', (name, value) => {
    expect(of(name, value)).toEqual([name]);
  });

  it.each(
    variables.flatMap(([name, { type, enum: choices }]) =>
      (type === 'boolean' ? ['true', 'false'] : (choices ?? [])).flatMap((word) =>
        [word.toUpperCase(), word[0]!.toUpperCase() + word.slice(1)].map((spelled) => [name, spelled, word] as const),
      ),
    ),
  )('%s=%s is the same as %s', (name, spelled, word) => {
    expect(of(name, word)).toBeTypeOf('object');
    expect(of(name, spelled)).toEqual(of(name, word));
    expect(of(name, spelled)).not.toEqual([name]);
  });

  // A text means what it says: in capitals it is another one.
  it.each(
    variables.flatMap(([name, { type, enum: choices, default: preset }]) =>
      type === 'string' && choices === undefined && typeof preset === 'string' && preset !== ''
        ? [[name, preset.toUpperCase()] as const]
        : [],
    ),
  )('%s=%s is honoured as it is, or refused by its name', (name, text) => {
    const found = of(name, text);
    expect([[name], text]).toContainEqual(Array.isArray(found) ? found : found[name]);
  });

  it.each(
    variables.flatMap(([name, { type, minimum, maximum }]) => {
      if (minimum === undefined || maximum === undefined) return [];
      // Above the largest safe integer the next number is not one more.
      const above = maximum + (Number.isSafeInteger(maximum + 1) ? 1 : 2_048);
      return [minimum - 1, above, ...(type === 'integer' ? [minimum + 0.5] : [])].map(
        (each) => [name, String(each)] as const,
      );
    }),
  )('%s=%s is out of range and refused by its name', (name, value) => {
    expect(of(name, value)).toEqual([name]);
  });
});

/** A value that no variable of this kind takes; null for a text that may be anything. */
function wrongType({ type, enum: choices, pattern, check }: Variable): string | null {
  if (type !== 'string') return 'a word';
  if (choices !== undefined) return 'none of them';
  return pattern === undefined && check === undefined ? null : '\u0001 ,,';
}

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
  readonly format?: string;
  readonly check?: unknown;
  readonly refuseEmpty?: boolean;
}

type Read = (environment: Record<string, string>) => object;

const DAEMONS: readonly (readonly [string, { properties: object; required?: readonly string[] }, Read])[] = [
  ['ingest-api', INGEST_VARIABLES, readIngestConfig],
  ['writer-worker', WRITER_VARIABLES, readWriterConfig],
  ['maintenance-worker', MAINTENANCE_VARIABLES, readMaintenanceConfig],
  ['query-api', QUERY_VARIABLES, readQueryConfig],
];

/** What every daemon starts with here; ingest reads no DATABASE_URL. */
const BASE = { DATABASE_URL: 'postgres://u:p@h/d' };

/** A value that no variable of a kind takes; null for text that may be anything. */
function wrongType({ type, enum: choices, pattern, format, check }: Variable): string | null {
  if (type !== 'string') return 'a word';
  if (choices !== undefined) return 'none of them';
  return pattern !== undefined || format !== undefined || check !== undefined ? '\u0001 ,,' : null;
}

describe.each(DAEMONS)('%s', (_, { properties }, read) => {
  const problemsOf = (environment: Record<string, string>): readonly string[] => {
    try {
      read({ ...BASE, ...environment });
    } catch (error) {
      if (error instanceof ConfigError) return error.problems;
      throw error;
    }
    return [];
  };
  const refused = (name: string, value: string): void =>
    expect(problemsOf({ [name]: value }), `${name}=${value}`).toEqual([expect.stringMatching(new RegExp(`^${name} `))]);
  const same = (environment: Record<string, string>, other: Record<string, string>): void =>
    expect(asJson(read({ ...BASE, ...environment }))).toEqual(asJson(read({ ...BASE, ...other })));

  describe.each(Object.entries(properties) as [string, Variable][])('%s', (name, variable) => {
    const { type, minimum, maximum, enum: choices, default: preset, refuseEmpty } = variable;

    it('unset: its default, or named as missing', () => {
      if (name !== 'DATABASE_URL') same({}, {});
      else expect(() => read({})).toThrow('DATABASE_URL is not set');
    });

    it.each(['', ' ', '\t\r\n'])(
      'empty (%j): as if it were not set; refused where that would let everybody in',
      (blank) => {
        if (refuseEmpty) refused(name, blank);
        else if (name === 'DATABASE_URL')
          expect(() => read({ DATABASE_URL: blank })).toThrow('DATABASE_URL is not set');
        else same({ [name]: blank }, {});
      },
    );

    const wrong = wrongType(variable);
    if (wrong !== null) it('a value of the wrong type: refused by its name', () => refused(name, wrong));

    const words = type === 'boolean' ? ['true', 'false'] : (choices ?? []);
    if (words.length > 0)
      it('capitals: the same', () => {
        for (const word of words) {
          same({ [name]: word.toUpperCase() }, { [name]: word });
          same({ [name]: word[0]!.toUpperCase() + word.slice(1) }, { [name]: word });
        }
      });

    // A text means what it says: in capitals it is another one, and honoured as that or refused.
    if (type === 'string' && choices === undefined && typeof preset === 'string' && preset !== '')
      it('a text in capitals: honoured as it is, or refused by its name', () => {
        const text = preset.toUpperCase();
        if (problemsOf({ [name]: text }).length > 0) refused(name, text);
        else expect(read({ ...BASE, [name]: text })).toMatchObject({ [name]: text });
      });

    if (minimum !== undefined && maximum !== undefined)
      it('out of range: refused by its name', () => {
        refused(name, String(minimum - 1));
        refused(name, String(maximum + (Number.isSafeInteger(maximum + 1) ? 1 : 2_048)));
        if (type === 'integer') refused(name, `${minimum}.5`);
      });
  });
});

/** Without what holds functions. */
function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

import { isIP } from 'node:net';
import type { Ajv, ErrorObject } from 'ajv';
import envSchema from 'env-schema';
import { closest, distance } from 'fastest-levenshtein';
import type { Static, TObject, TSchema } from 'typebox';
import { ConfigError } from './config-error.ts';
import { givenValues } from './given-values.ts';
import { meantName } from './misspelt-name.ts';
import type { Environment } from './read-environment.ts';
import { isServiceLink } from './service-links.ts';

/** What a variable's schema says beside its type, for messages and for docs/reference/configuration.md. */
export interface VariableNotes {
  /** What it does, in one sentence. */
  description: string;
  /** Unit of the value, e.g. `ms`, `bytes`; `-` where it has none. */
  unit: string;
  /** True for values that must never be printed. */
  secret?: boolean;
  /** True where "none" lets everybody in: set but empty is a mistake then, and does not count as not set. */
  refuseEmpty?: boolean;
  /** Other names of a choice, in lower case. */
  aliases?: Readonly<Record<string, string>>;
  /**
   * What else the value must be. It is given the environment too.
   *
   * @returns the end of the sentence "NAME …", without the value; null when nothing is wrong
   */
  check?: (value: string, environment: Environment) => string | null;
}

/** Every `SLUICE_*` name there is, in whichever daemon; anything else with this prefix is a typing error. */
const SLUICE_NAMES = ['SLUICE_DATA_DIR', 'SLUICE_NAMESPACE'];

/**
 * Reads and checks the variables of a schema. Every property of the schema is one environment variable.
 *
 * @returns the frozen values, with defaults filled in
 * @throws ConfigError naming every mistake at once; secrets are named, never shown
 */
export function readConfig<T extends TObject>(schema: T, environment: Environment): Readonly<Static<T>> {
  const given = givenValues(schema, environment);
  const problems = [...unknownNames(environment), ...failedChecks(schema, given, environment)];
  try {
    const values = envSchema<Static<T>>({
      // A copy, because env-schema changes it. JSON leaves out the functions, which are called here.
      schema: JSON.parse(JSON.stringify(schema)) as object,
      data: given,
      env: false,
      ajv: { customOptions: acceptNotes },
    });
    if (problems.length === 0) return Object.freeze(values);
  } catch (error) {
    const errors = (error as { errors?: ErrorObject[] }).errors;
    if (errors === undefined) throw error;
    problems.push(...errors.map((each) => describe(each, schema, environment)));
  }
  throw new ConfigError([...new Set(problems)]);
}

function acceptNotes(ajv: Ajv): Ajv {
  return ajv
    .addVocabulary(['unit', 'secret', 'expected', 'refuseEmpty', 'aliases'])
    .addFormat('url', (text) => URL.canParse(text))
    .addFormat('networks', (list) => list === '' || list.split(',').every(isNetwork));
}

/** An address, a network such as 10.0.0.0/8, or the name of one. */
function isNetwork(text: string): boolean {
  if (/^[a-z]+$/.test(text)) return true;
  const [address = '', prefix] = text.split('/');
  const version = isIP(address);
  return version !== 0 && (prefix === undefined || Number(prefix) <= (version === 4 ? 32 : 128));
}

function failedChecks(schema: TObject, given: Environment, environment: Environment): string[] {
  return Object.entries(given).flatMap(([name, value = '']) => {
    const problem = notesOf(schema, name)?.check?.(value, environment) ?? null;
    return problem === null ? [] : [`${name} ${problem}`];
  });
}

function describe(error: ErrorObject, schema: TObject, environment: Environment): string {
  if (error.keyword === 'required') {
    const name = String(error.params['missingProperty']);
    const misspelt = Object.keys(environment).find((each) => meantName(each, [name]) === name);
    const hint = misspelt === undefined ? '' : ` Did you mean it with ${misspelt}?`;
    return `${name} is not set: ${notesOf(schema, name)?.description ?? ''}${hint}`;
  }
  const name = error.instancePath.split('/')[1] ?? '';
  const notes = notesOf(schema, name);
  const value = environment[name];
  const shown = notes?.secret || value === undefined ? '' : ` (it is "${value.slice(0, 80)}")`;
  const expected = notes?.expected;
  const allowed = error.params['allowedValues'] as unknown[] | undefined;
  const wants = allowed ? `must be one of ${allowed.join(', ')}` : expected ? `must be ${expected}` : error.message;
  return `${name} ${wants}${shown}`;
}

function notesOf(schema: TObject, name: string): (VariableNotes & { expected?: string }) | undefined {
  return (schema.properties as Record<string, TSchema>)[name] as (VariableNotes & { expected?: string }) | undefined;
}

function unknownNames(environment: Environment): string[] {
  return Object.entries(environment)
    .filter(([name]) => name.startsWith('SLUICE_') && !SLUICE_NAMES.includes(name))
    .filter(([name, value = '']) => value.trim() !== '' && !isServiceLink(name, value))
    .map(([name]) => {
      const nearest = closest(name, SLUICE_NAMES);
      const hint = distance(name, nearest) <= 6 ? ` Did you mean ${nearest}?` : '';
      return `${name} is not a variable of Sluice.${hint}`;
    });
}

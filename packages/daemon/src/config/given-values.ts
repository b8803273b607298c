import type { TObject } from 'typebox';
import type { Environment } from './read-environment.ts';
import { isServiceLink } from './service-links.ts';

/** What a schema says of one variable, as far as its spelling is concerned. */
interface Property {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly aliases?: Readonly<Record<string, string>>;
  readonly refuseEmpty?: boolean;
}

const BOOLEANS: ReadonlyMap<string, string> = new Map([
  ...['true', '1', 'yes', 'y', 'on', 't'].map((word) => [word, 'true'] as const),
  ...['false', '0', 'no', 'n', 'off', 'f'].map((word) => [word, 'false'] as const),
]);

/**
 * Picks the values of a schema's variables out of an environment, each in the schema's own spelling. A variable that is
 * empty or blank counts as not set, and so does one that Kubernetes set for a service of that name.
 *
 * @returns by name; a value that has no spelling in the schema is there as it is, for the schema to refuse
 */
export function givenValues(schema: TObject, environment: Environment): Record<string, string> {
  const given: Record<string, string> = {};
  for (const [name, property] of Object.entries(schema.properties)) {
    const value = environment[name];
    if (value === undefined || isServiceLink(name, value)) continue;
    const { refuseEmpty } = property as Property;
    if (value.trim() !== '') given[name] = spelled(value, property);
    else if (refuseEmpty === true) given[name] = '';
  }
  if ('LOG_LEVEL' in schema.properties && given['LOG_LEVEL'] === undefined && isDebug(environment))
    given['LOG_LEVEL'] = 'debug';
  return given;
}

/** Whether `DEBUG` asks for the log level `debug`. Libraries read it too, as a list of names: that asks for nothing here. */
export function isDebug({ DEBUG }: Environment): boolean {
  return BOOLEANS.get(DEBUG?.trim().toLowerCase() ?? '') === 'true';
}

/** Choices and booleans are taken in capitals too, and booleans as other programs write them. */
function spelled(value: string, { type, enum: choices, aliases = {} }: Property): string {
  const word = value.trim().toLowerCase();
  if (type === 'boolean') return BOOLEANS.get(word) ?? value;
  if (choices === undefined) return value;
  if (Object.hasOwn(aliases, word)) return aliases[word]!;
  return choices.find((choice) => choice.toLowerCase() === word) ?? value;
}

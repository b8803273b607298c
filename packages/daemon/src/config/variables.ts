import { Type } from 'typebox';
import type { VariableNotes } from './read-config.ts';

/** Pattern of the names of tenants, keys and operators, without anchors. A tenant's name is part of paths and texts. */
export const NAME_PATTERN = '[A-Za-z0-9][A-Za-z0-9_.-]{0,63}';

/**
 * Builders for the kinds of variables, so that each config file reads as a table.
 * `expected` is the end of the sentence "NAME must be …".
 */

export function text(notes: VariableNotes & { default?: string; pattern?: string; format?: 'url'; expected?: string }) {
  return Type.String({ minLength: 1, expected: 'not empty', ...notes });
}

export function integer(notes: VariableNotes & { default: number; minimum: number; maximum: number }) {
  return Type.Integer({ expected: `a whole number from ${notes.minimum} to ${notes.maximum}`, ...notes });
}

export function choice<const T extends string>(values: readonly T[], notes: VariableNotes & { default: T }) {
  return Type.Unsafe<T>(Type.String({ enum: values, ...notes }));
}

/** `true` or `false`; also `1`, `yes`, `on` and `0`, `no`, `off`, in capitals too. */
export function boolean(notes: VariableNotes & { default: boolean }) {
  return Type.Boolean({ expected: 'one of true, false', ...notes });
}

/**
 * A comma-separated list of items that match `item`, a pattern without anchors. It may be left out if it has a default.
 */
export function list(notes: VariableNotes & { item: string; expected: string; format?: 'networks'; default?: '' }) {
  const { item, ...rest } = notes;
  // An empty one is the default: what the environment has empty is not set.
  const pattern = `^(${item})(,(${item}))*$${'default' in notes ? '|^$' : ''}`;
  return Type.Unsafe<string[]>({ type: 'string', separator: ',', pattern, ...rest });
}

/** A port to listen on; 0 takes a free one. */
export function port(notes: Omit<VariableNotes, 'unit'> & { default: number }) {
  return integer({ unit: 'port', minimum: 0, maximum: 65_535, ...notes });
}

/** A number with or without decimals. */
export function number(notes: VariableNotes & { default: number; minimum: number; maximum: number }) {
  return Type.Number({ expected: `a number from ${notes.minimum} to ${notes.maximum}`, ...notes });
}

/** A whole number that may be left out. */
export function optionalInteger(notes: VariableNotes & { minimum: number; maximum: number }) {
  return Type.Optional(
    Type.Integer({ expected: `a whole number from ${notes.minimum} to ${notes.maximum}`, ...notes }),
  );
}

import { MAX_NESTING } from '../canonical-event.ts';
import { mostGrowth } from './written-out.ts';

/** What makes a parsed value invalid, whatever its shape. */
export type ValueProblem = 'nesting' | 'property' | 'number';

/** What the walk adds up, beside finding problems. */
export interface ValueSums {
  /** Objects, arrays, texts, numbers, true, false and null. */
  values: number;
  /** Bytes by which its numbers may grow when Postgres writes them out; see `written-out.ts`. */
  growth: number;
}

/**
 * Walks a parsed JSON object or array once. Finds nesting that is too deep, a property `__proto__`, and numbers that
 * JSON.parse turned into Infinity (`1e400`) and JSON.stringify would write as null.
 *
 * @param level nesting level of `value` itself; the walk never goes deeper than the limit
 * @param sums is increased by what is inside `value`
 * @returns the gravest problem, in the order of `ValueProblem`
 */
export function inspectValues(value: object, level = 1, sums?: ValueSums): ValueProblem | null {
  if (level > MAX_NESTING) return 'nesting';
  let problem: ValueProblem | null = null;
  for (const key in value) {
    const inner = (value as Record<string, unknown>)[key];
    // JSON.parse makes an own property of it. Assigned to another object, it would become that object's prototype.
    if (key === '__proto__') problem = 'property';
    if (sums !== undefined) sums.values += 1;
    if (typeof inner === 'object' && inner !== null) {
      const found = inspectValues(inner, level + 1, sums);
      if (found === 'nesting') return found;
      if (found === 'property') problem = found;
      else problem ??= found;
    } else if (typeof inner === 'number') {
      if (!Number.isFinite(inner)) problem ??= 'number';
      else if (sums !== undefined) sums.growth += mostGrowth(inner);
    }
  }
  return problem;
}

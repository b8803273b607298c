import { MAX_NESTING } from '../canonical-event.ts';

/** What makes a parsed value invalid, whatever its shape. */
export type ValueProblem = 'nesting' | 'number';

/**
 * Walks a parsed JSON object or array once. Finds nesting that is too deep, and numbers that JSON.parse turned into
 * Infinity (`1e400`) and JSON.stringify would write as null.
 *
 * @param level nesting level of `value` itself; the walk never goes deeper than the limit
 */
export function inspectValues(value: object, level = 1): ValueProblem | null {
  if (level > MAX_NESTING) return 'nesting';
  let problem: ValueProblem | null = null;
  for (const key in value) {
    const inner = (value as Record<string, unknown>)[key];
    if (typeof inner === 'object' && inner !== null) {
      const found = inspectValues(inner, level + 1);
      if (found === 'nesting') return found;
      problem ??= found;
    } else if (typeof inner === 'number' && !Number.isFinite(inner)) {
      problem = 'number';
    }
  }
  return problem;
}

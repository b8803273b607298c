import { type Context, createContextKey } from '@opentelemetry/api';

/** How many client spans may still start below a span. */
export interface SpanBudget {
  /** The span that the budget is for must start in this context. */
  readonly context: Context;
  /** How many spans were left out because the budget was used up. */
  leftOut(): number;
}

interface Budget {
  left: number;
  leftOut: number;
}

const BUDGET = createContextKey('sluice span budget');

/**
 * Bounds the statements, commands and calls that one piece of work shows in its trace; the sampler drops the others. The
 * first ones show what the work does. Work that deletes a million rows by the thousand must not send the collector ten
 * thousand spans. Sluice's own spans are not of kind client and are not counted.
 */
export function spanBudget(parent: Context, most: number): SpanBudget {
  const budget: Budget = { left: most, leftOut: 0 };
  return { context: parent.setValue(BUDGET, budget), leftOut: () => budget.leftOut };
}

/** Takes one span out of the budget of a context. @returns false when it is used up */
export function takeFromBudget(context: Context): boolean {
  const budget = context.getValue(BUDGET) as Budget | undefined;
  if (budget === undefined) return true;
  if (budget.left > 0) {
    budget.left -= 1;
    return true;
  }
  budget.leftOut += 1;
  return false;
}

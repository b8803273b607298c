import { type Kysely, sql } from 'kysely';
import { checkNamedTenant } from '@sluice/access/named-tenant';
import { type DeadLetterFilter, matches } from '@sluice/store/dead-letter-filter';
import { ApiError } from '@sluice/errors/api-errors';
import type { Operator } from '../keys/operator-keys.ts';

/** The part of a body that says which dead letters are meant. */
export interface Choice {
  readonly ids?: readonly (string | number)[];
  readonly filter?: DeadLetterFilter;
}

/** Most ids that a message names. */
const NAMED_IDS = 10;

/**
 * The choice of a request as a filter.
 *
 * @throws ApiError when it has not exactly one of ids and filter, when an id is not there for this operator, or
 *   when it names another tenant
 */
export async function chosenLetters(
  db: Kysely<unknown>,
  choice: Choice,
  operator: Operator,
): Promise<DeadLetterFilter> {
  if ((choice.ids === undefined) === (choice.filter === undefined)) {
    throw new ApiError('invalid_body', 'Give either ids or filter; an empty filter means every dead letter.');
  }
  if (choice.filter !== undefined) {
    checkTenant(choice.filter, operator);
    return choice.filter;
  }
  const ids = [...new Set(choice.ids?.map(String))];
  const { rows } = await sql<{ id: string }>`
    SELECT id FROM dead_letters WHERE ${matches({ ids, state: 'all' }, operator.tenant)}`.execute(db);
  const found = new Set(rows.map((row) => row.id));
  const missing = ids.filter((id) => !found.has(id));
  if (missing.length > 0) {
    throw new ApiError('not_found', `There is no dead letter ${missing.slice(0, NAMED_IDS).join(', ')}.`);
  }
  return { ids };
}

/** @throws ApiError `tenant_mismatch` when a filter names another tenant than the operator's */
export function checkTenant(filter: { tenant?: string | undefined }, { tenant }: Operator): void {
  if (tenant !== null) checkNamedTenant(filter.tenant, tenant, 'The filter');
}

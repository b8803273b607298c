import { type ApiClient, type AnswerOf, CommandError } from '@sluice/api-client/api-client';

type DeadLetter = AnswerOf<'get', '/api/dead-letters/{id}'>;

/** More ids are not checked one by one: the API limits requests by the minute. */
const MOST_CHECKED = 50;

/** The ids of a command, checked. */
export interface CheckedIds {
  /** What is dead, and so can be replayed or discarded. */
  readonly dead: readonly string[];
  /** A line for each of the others: what it is, and that there is nothing to do. */
  readonly others: readonly string[];
}

/**
 * Finds out which of the ids are those of dead letters that are still dead.
 *
 * @param ignoreMissing also accepts ids that do not exist; else the API refuses them all together
 */
export async function checkIds(api: ApiClient, ids: readonly string[], ignoreMissing: boolean): Promise<CheckedIds> {
  if (ids.length > MOST_CHECKED) return { dead: ids, others: [] };
  const dead: string[] = [];
  const others: string[] = [];
  for (const id of new Set(ids)) {
    const letter = await find(api, id);
    if (letter?.state === 'dead' || (letter === null && !ignoreMissing)) dead.push(id);
    else others.push(`Dead letter ${id} ${letter === null ? 'does not exist' : describe(letter)}: nothing to do.`);
  }
  return { dead, others };
}

async function find(api: ApiClient, id: string): Promise<DeadLetter | null> {
  try {
    return await api.call('get', '/api/dead-letters/{id}', { path: { id } });
  } catch (error) {
    if (error instanceof CommandError && error.status === 404) return null;
    throw error;
  }
}

function describe({ state, settled_at: at, replay_id: replay }: DeadLetter): string {
  if (state === 'replaying') return `is being replayed by ${replay ?? 'a replay'}`;
  return `is ${state} since ${at?.slice(0, 19) ?? 'an unknown time'}`;
}

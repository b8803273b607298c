import type { AnswerOf } from '@sluice/api-client/api-client';
import { visible } from '@sluice/errors/visible';

/** The part of a replay that its sentence needs. */
export type EndedReplay = Pick<
  AnswerOf<'get', '/api/dead-letters/replays/{id}'>,
  'id' | 'state' | 'matched' | 'replayed' | 'failed' | 'skipped' | 'error'
>;

/** How a replay ended, in a sentence that counts what is stored: a replay ends well even if every event failed again. */
export function describeReplay({ id, state, matched, replayed, failed, skipped, error }: EndedReplay): string {
  const how = state === 'succeeded' ? 'finished' : state === 'cancelled' ? 'was cancelled' : visible(state);
  const why = error === null ? '' : ` (${visible(error)})`;
  const parts = [
    `${count(replayed)} of ${count(matched)} stored`,
    ...(failed > 0 ? [`${count(failed)} failed again (./sluice dead-letters list)`] : []),
    ...(skipped > 0 ? [`${count(skipped)} skipped`] : []),
  ];
  return `Replay ${id} ${how}${why}: ${parts.join(', ')}.`;
}

function count(value: number): string {
  return value.toLocaleString('en');
}

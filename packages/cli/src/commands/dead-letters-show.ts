import type { Command } from 'commander';
import type { AnswerOf, ApiClient } from '@sluice/api-client/api-client';
import { parseId } from '../dead-letter-filter.ts';
import { formatFacts, type Output } from '../output.ts';

/** `dead-letters show ID`: shows everything that is known about one dead letter. */
export function addShowCommand(parent: Command, context: () => { api: ApiClient; output: Output }): void {
  parent
    .command('show')
    .description('one dead letter in full: payload, history, trace')
    .argument('<id>', 'its id', parseId)
    .action(async (id: string) => {
      const { api, output } = context();
      const letter = await api.call('get', '/api/dead-letters/{id}', { path: { id } });
      output.result(letter, formatLetter(letter));
    });
}

function formatLetter(letter: AnswerOf<'get', '/api/dead-letters/{id}'>): string {
  const { payload, original_payload: original, history, ...facts } = letter;
  const lines = formatFacts(Object.entries(facts));
  for (const [name, value] of [
    ['payload', payload],
    ['original payload', original],
  ] as const) {
    if (value !== null && value !== undefined) lines.push('', `${name}:`, JSON.stringify(value, null, 2));
  }
  if (Array.isArray(history) && history.length > 0)
    lines.push('', 'history:', ...history.map((each) => `  ${JSON.stringify(each)}`));
  return lines.join('\n');
}

import { createInterface } from 'node:readline/promises';
import { CommandError } from '@sluice/api-client/api-client';
import { EXIT } from '@sluice/api-client/exit-codes';

/**
 * Asks before something that can't be undone. Without a terminal there is no answer, so `--yes` must be given.
 *
 * @throws CommandError when the answer is no, or there is no terminal
 */
export async function confirm(question: string, yes: boolean): Promise<void> {
  if (yes) return;
  if (!process.stdin.isTTY) {
    throw new CommandError(`${question} There is no terminal to answer at; give --yes to go ahead.`, EXIT.usage);
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(`${question} [y/N] `);
    if (!/^y(es)?$/i.test(answer.trim())) throw new CommandError('Nothing was done.', EXIT.declined);
  } finally {
    terminal.close();
  }
}

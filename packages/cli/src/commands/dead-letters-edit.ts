import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { type ApiClient, CommandError } from '@sluice/api-client/api-client';
import { EXIT } from '@sluice/api-client/exit-codes';
import { visible, visibleLines } from '@sluice/errors/visible';
import { parseKeepingDigits } from '@sluice/events/json/parse-json';
import type { CliConfig } from '../config.ts';
import { parseId } from '../dead-letter-filter.ts';
import { editText } from '../edit-text.ts';
import type { Output } from '../output.ts';

interface EditOptions {
  payload?: string;
  note?: string;
  reason?: string;
}

/** What to send: the new payload, and the version that it is based on. */
interface NewPayload {
  readonly text: string;
  readonly version: string | undefined;
  /** The file with the text, for a message; and what removes it. */
  readonly draft?: { readonly file: string; readonly remove: () => void };
}

/** `dead-letters edit ID`: changes the payload, in an editor or from a file. */
export function addEditCommand(
  parent: Command,
  context: () => { api: ApiClient; output: Output; config: CliConfig },
): void {
  parent
    .command('edit')
    .description('change the payload of a dead letter, so that a replay of it can succeed')
    .argument('<id>', 'its id', parseId)
    .option('--payload <file>', 'the new payload, from a file (- for standard input) instead of an editor')
    .option('--note <text>', 'why, for the audit log')
    // Its name in 0.1.0; in the other commands --reason is a filter.
    .addOption(new Option('--reason <text>').hideHelp())
    .addHelpText(
      'after',
      '\nExamples:\n  ./sluice dead-letters edit 42\n  ./sluice dead-letters edit 42 --payload fixed.json --note "wrong unit"',
    )
    .action(async (id: string, { payload, note, reason }: EditOptions) => {
      const { api, output, config } = context();
      const edited =
        payload === undefined
          ? await inEditor(id, api, config)
          : { text: readPayload(payload, config), version: undefined };
      if (edited === null) {
        output.note('Nothing was changed.');
        return;
      }
      const letter = await orKeepDraft(edited, () =>
        api.call('patch', '/api/dead-letters/{id}', {
          path: { id },
          body: { payload: parsePayload(edited.text), version: edited.version, note: note ?? reason },
        }),
      );
      output.result(letter, `Dead letter ${id} has its new payload. Replay it: ./sluice dead-letters replay ${id}`);
    });
}

function readPayload(file: string, { callerFolder }: CliConfig): string {
  try {
    return readFileSync(file === '-' ? 0 : resolve(callerFolder, file), 'utf8');
  } catch (error) {
    throw new CommandError(`The payload cannot be read: ${(error as Error).message}`, EXIT.usage);
  }
}

/** Opens the payload in an editor; null when it is unchanged. */
async function inEditor(id: string, api: ApiClient, { editor }: CliConfig): Promise<NewPayload | null> {
  if (!process.stdin.isTTY)
    throw new CommandError('There is no terminal to edit at; give the new payload with --payload FILE.', EXIT.usage);
  const letter = await api.call('get', '/api/dead-letters/{id}', { path: { id } });
  const before = `${visibleLines(JSON.stringify(letter.payload, null, 2))}\n`;
  const { text, file, remove } = editText(editor, `dead-letter-${id}.json`, before);
  if (text !== null) return { text, version: letter.version, draft: { file, remove } };
  remove();
  return null;
}

/** Sends the payload. When it is refused, the text that somebody has typed remains, and the error says where. */
async function orKeepDraft<T>({ draft }: NewPayload, send: () => Promise<T>): Promise<T> {
  try {
    const sent = await send();
    draft?.remove();
    return sent;
  } catch (error) {
    if (draft === undefined || !(error instanceof CommandError)) throw error;
    throw new CommandError(
      `${error.message}\nYour text is still in ${draft.file}; correct it there and send it with --payload.`,
      error.exitCode,
    );
  }
}

function parsePayload(text: string): unknown {
  try {
    return parseKeepingDigits(text);
  } catch (error) {
    throw new CommandError(`The new payload is not JSON: ${visible((error as Error).message)}`, EXIT.usage);
  }
}

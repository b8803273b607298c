import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { type ApiClient, CommandError } from '@sluice/api-client/api-client';
import { EXIT } from '@sluice/api-client/exit-codes';
import { parseKeepingDigits } from '@sluice/events/json/parse-json';
import type { CliConfig } from '../config.ts';
import { parseId } from '../dead-letter-filter.ts';
import type { Output } from '../output.ts';

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
    .option('--reason <text>', 'why, for the audit log')
    .addHelpText(
      'after',
      '\nExamples:\n  ./sluice dead-letters edit 42\n  ./sluice dead-letters edit 42 --payload fixed.json --reason "wrong unit"',
    )
    .action(async (id: string, options: { payload?: string; reason?: string }) => {
      const { api, output, config } = context();
      const edited =
        options.payload === undefined
          ? await inEditor(id, api, config)
          : { text: readPayload(options.payload, config), version: undefined };
      if (edited === null) {
        output.note('Nothing was changed.');
        return;
      }
      const letter = await api.call('patch', '/api/dead-letters/{id}', {
        path: { id },
        body: { payload: parsePayload(edited.text), version: edited.version, reason: options.reason },
      });
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

/** Opens the payload in an editor. Answers the new text and the version it is based on; null when it is unchanged. */
async function inEditor(
  id: string,
  api: ApiClient,
  { editor }: CliConfig,
): Promise<{ text: string; version: string } | null> {
  if (!process.stdin.isTTY)
    throw new CommandError('There is no terminal to edit at; give the new payload with --payload FILE.', EXIT.usage);
  const letter = await api.call('get', '/api/dead-letters/{id}', { path: { id } });
  const folder = mkdtempSync(join(tmpdir(), 'sluice-edit-'));
  try {
    const file = join(folder, `dead-letter-${id}.json`);
    const before = `${JSON.stringify(letter.payload, null, 2)}\n`;
    writeFileSync(file, before, { mode: 0o600 });
    // A shell, because EDITOR may hold arguments ("code --wait").
    const { status } = spawnSync(`${editor} "$0"`, [file], { stdio: 'inherit', shell: true });
    if (status !== 0)
      throw new CommandError(`The editor (${editor}) ended with ${status}; nothing was changed.`, EXIT.failed);
    const after = readFileSync(file, 'utf8');
    return after === before ? null : { text: after, version: letter.version };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function parsePayload(text: string): unknown {
  try {
    return parseKeepingDigits(text);
  } catch (error) {
    throw new CommandError(`The new payload is not JSON: ${(error as Error).message}`, EXIT.usage);
  }
}

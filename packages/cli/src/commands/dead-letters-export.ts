import { createWriteStream } from 'node:fs';
import { resolve } from 'node:path';
import { Writable } from 'node:stream';
import type { Command } from 'commander';
import { type ApiClient, CommandError } from '@sluice/api-client/api-client';
import { EXIT } from '@sluice/api-client/exit-codes';
import { visibleLines } from '@sluice/errors/visible';
import type { CliConfig } from '../config.ts';
import { filterOf, stateOption, withFilterOptions } from '../dead-letter-filter.ts';
import type { Output } from '../output.ts';

const NEWLINE = 0x0a;

/** Makes JSON lines safe for a terminal as they arrive. */
function escapeLines(bytes: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
  return bytes
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(
      new TransformStream<string, string>({
        transform: (text, controller) => controller.enqueue(visibleLines(text)),
      }),
    )
    .pipeThrough(new TextEncoderStream());
}

/** `dead-letters export [FILE]`: writes one JSON object a line as they arrive, in constant memory. */
export function addExportCommand(
  parent: Command,
  context: () => { api: ApiClient; output: Output; config: CliConfig },
): void {
  withFilterOptions(parent.command('export'))
    .description('write dead letters as NDJSON')
    .argument('[file]', 'the file to write; standard output if not given')
    .addOption(stateOption())
    .addHelpText(
      'after',
      '\nExamples:\n  ./sluice dead-letters export dead.ndjson --since 7d\n  ./sluice dead-letters export | jq .reason',
    )
    .action(async (file: string | undefined, options: Record<string, unknown>) => {
      const { api, output, config } = context();
      const bytes = await api.stream('/api/dead-letters', { query: filterOf(options) }, 'application/x-ndjson');
      const target =
        file === undefined ? process.stdout : createWriteStream(resolve(config.callerFolder, file), { flags: 'wx' });
      let rows = 0;
      const counted = bytes.pipeThrough(
        new TransformStream<Uint8Array, Uint8Array>({
          transform(chunk, controller) {
            for (const byte of chunk) if (byte === NEWLINE) rows += 1;
            controller.enqueue(chunk);
          },
        }),
      );
      // A terminal may show standard output; the escapes are the same JSON.
      const shown = file === undefined ? escapeLines(counted) : counted;
      try {
        await shown.pipeTo(Writable.toWeb(target) as WritableStream<Uint8Array>);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EEXIST')
          throw new CommandError(`${file} exists already; choose another name.`, EXIT.usage);
        throw error;
      }
      output.note(`${rows} dead letters${file === undefined ? '' : ` written to ${file}`}`);
    });
}

import { type Command, Option } from 'commander';
import type { ApiClient } from '@sluice/api-client/api-client';
import {
  EXPORT_COMPRESSIONS,
  EXPORT_FORMATS,
  type ExportCompression,
  type ExportFormat,
} from '@sluice/api-client/choices';
import { EXIT } from '@sluice/api-client/exit-codes';
import type { CliConfig } from '../config.ts';
import { describeExport, followExport } from '../follow-export.ts';
import type { Output } from '../output.ts';
import { timeAgo } from '../time-option.ts';
import { waitOption } from '../wait-option.ts';

interface RunOptions {
  tenant?: string;
  format?: ExportFormat;
  compression?: ExportCompression;
  since?: string;
  until?: string;
  wait: boolean;
}

/** `exports run`: exports a span of time now, and shows the progress. */
export function addExportsRunCommand(
  parent: Command,
  context: () => { api: ApiClient; output: Output; config: CliConfig },
): void {
  parent
    .command('run')
    .description('export what was stored in a span of time, or everything')
    .option('--tenant <tenant>', "whose events; if not given, the key's, or default")
    .addOption(new Option('--format <format>', 'if not given, as configured').choices(EXPORT_FORMATS))
    .addOption(new Option('--compression <compression>', 'if not given, as configured').choices(EXPORT_COMPRESSIONS))
    .option('--since <time>', 'stored at or after: ISO 8601, or an age such as 90m, 24h, 7d', timeAgo)
    .option('--until <time>', 'stored before', timeAgo)
    .addOption(waitOption())
    .option('--no-wait', 'do not wait for the end')
    .addHelpText(
      'after',
      '\nIt ends with 0 when the export succeeded and with 1 when it did not. Ctrl-C leaves it running.\n\nExamples:\n  ./sluice exports run --since 24h --format csv --compression gzip\n  ./sluice exports run --tenant acme --since 2026-01-01T00:00:00Z --until 2026-02-01T00:00:00Z',
    )
    .action(async ({ wait, ...query }: RunOptions) => {
      const { api, output, config } = context();
      const run = await api.call('post', '/export/run', { query, body: {} });
      if (!wait) {
        output.result(run, `Export ${run.id} is ${run.state}; see "./sluice exports show ${run.id}".`);
        return;
      }
      const ended = await followExport(api, run, output);
      output.result(ended, describeExport(ended, config.exportFolder));
      if (ended.state !== 'succeeded') process.exitCode = EXIT.failed;
    });
}

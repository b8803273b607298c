import type { Command } from 'commander';
import { type AnswerOf, type ApiClient, CommandError } from '@sluice/api-client/api-client';
import { EXIT } from '@sluice/api-client/exit-codes';
import { confirm } from '../confirm.ts';
import { checkIds } from '../dead-ids.ts';
import { filterOf, parseId, withFilterOptions } from '../dead-letter-filter.ts';
import { describeReplay } from '../describe-replay.ts';
import { followReplay } from '../follow-replay.ts';
import { formatTable, type Output } from '../output.ts';
import { waitOption } from '../wait-option.ts';
import { wholeNumber } from '../whole-number.ts';

type Asked = AnswerOf<'post', '/api/dead-letters/replays'>;
/** The answer to a dry run. */
type DryRun = Extract<Asked, { tried: number }>;
type Replay = Exclude<Asked, DryRun>;

/** Failures of a dry run that are shown. */
const MOST_SHOWN = 20;

interface ReplayOptions {
  dryRun?: boolean;
  rate: number;
  note?: string;
  yes?: boolean;
  wait: boolean;
  all?: boolean;
  ignoreMissing?: boolean;
}

/** `dead-letters replay [IDS…]`: puts dead letters back on the stream, and shows the progress. */
export function addReplayCommand(parent: Command, context: () => { api: ApiClient; output: Output }): void {
  withFilterOptions(parent.command('replay'))
    .description('put dead letters back on the stream, under their original event ids')
    .argument('[ids...]', 'their ids; without any, the filter chooses')
    .option('--all', 'all that are dead, when no filter is given')
    .option('--dry-run', 'only report what would happen')
    .option('--rate <n>', 'at most this many dead letters a second', wholeNumber, 100)
    .option('--note <text>', 'why, for the audit log')
    .addOption(waitOption())
    .option('--no-wait', 'do not wait for the end')
    .option('--ignore-missing', 'succeed even if some of the ids are not dead any more, or do not exist')
    .option('-y, --yes', 'do not ask')
    .addHelpText(
      'after',
      '\nExamples:\n  ./sluice dead-letters replay 41 42\n  ./sluice dead-letters replay --reason invalid_value --since 24h --dry-run\n  ./sluice dead-letters replay --all --rate 500 --yes',
    )
    .action(async (ids: string[], options: ReplayOptions & Record<string, unknown>) => {
      const { api, output } = context();
      const chosen = await chooseDead(api, output, ids, options);
      if (chosen === null) return;
      if (options.dryRun) {
        const found = await api.call('post', '/api/dead-letters/replays', { body: { ...chosen, dry_run: true } });
        output.result(found, formatDryRun(found as DryRun));
        return;
      }
      await confirm(`Replay ${describeChoice(chosen.ids ?? [], options)}?`, options.yes === true);
      const replay = (await api.call('post', '/api/dead-letters/replays', {
        body: { ...chosen, rate_per_second: options.rate, note: options.note },
      })) as Replay;
      if (!options.wait) {
        output.result(replay, `Replay ${replay.id} is queued.`);
        return;
      }
      const ended = await followReplay(api, replay.id, output);
      output.result(ended, describeReplay(ended));
      if (ended.state !== 'succeeded' || ended.failed > 0) process.exitCode = EXIT.failed;
    });
}

/**
 * The selection for the API, of ids only those that are still dead. The others are reported, and make the exit code 1
 * unless `--ignore-missing` is given.
 *
 * @returns null when nothing is left to do
 */
export async function chooseDead(
  api: ApiClient,
  output: Output,
  ids: readonly string[],
  options: { ignoreMissing?: boolean } & Record<string, unknown>,
): Promise<{ ids?: string[]; filter?: object } | null> {
  const chosen = chooseLetters(ids, options);
  if (chosen.ids === undefined) return chosen;
  const { dead, others } = await checkIds(api, chosen.ids, options.ignoreMissing === true);
  for (const line of others) output.note(line);
  if (others.length > 0 && options.ignoreMissing !== true) process.exitCode = EXIT.failed;
  return dead.length === 0 ? null : { ids: [...dead] };
}

function chooseLetters(ids: readonly string[], options: Record<string, unknown>): { ids?: string[]; filter?: object } {
  const filter = filterOf(options);
  if (ids.length > 0) {
    if (Object.keys(filter).length > 0) throw new CommandError('Give ids or a filter, not both.', EXIT.usage);
    return { ids: ids.map(parseId) };
  }
  if (Object.keys(filter).length === 0 && options['all'] !== true) {
    throw new CommandError('Which ones? Give ids, a filter such as --reason invalid_value, or --all.', EXIT.usage);
  }
  return { filter };
}

/** The selection in words, for the confirmation. */
export function describeChoice(ids: readonly string[], options: Record<string, unknown>): string {
  if (ids.length > 0) return ids.length === 1 ? `dead letter ${ids[0]}` : `${ids.length} dead letters`;
  const filter = Object.entries(filterOf(options)).map(([name, value]) => `${name} ${value}`);
  return filter.length === 0 ? 'all dead letters' : `all dead letters with ${filter.join(', ')}`;
}

function formatDryRun(found: DryRun): string {
  const rows = found.would_fail.slice(0, MOST_SHOWN).map((each) => [each.id, each.reason, each.message]);
  const more = found.would_fail.length - rows.length;
  const failures =
    rows.length === 0
      ? ''
      : `\n${formatTable(['id', 'reason', 'message'], rows)}${more > 0 ? `\nand ${more} more; --json has them all` : ''}`;
  return `${found.matched} match: ${found.would_store} would be stored, ${found.would_duplicate} are stored already, ${found.would_fail.length} would fail again.${failures}`;
}

import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import type { AnswerOf, ApiClient } from '../api-client.ts';
import { formatBytes, formatSeconds, formatTable, type Output } from '../output.ts';

type QueueStatus = AnswerOf<'get', '/api/queue'>;

const REFRESH_MS = 1_000;

/** `status [--watch]`: how far behind the writers are. */
export function addStatusCommand(program: Command, context: () => { api: ApiClient; output: Output }): void {
  program
    .command('status')
    .description('the queue: how much waits, since when, who works on it')
    .option('-w, --watch', 'again every second, until Ctrl-C')
    .addHelpText('after', '\nExamples:\n  sluice status\n  sluice status --watch\n  sluice status --json')
    .action(async (options: { watch?: boolean }) => {
      const { api, output } = context();
      for (;;) {
        const status = await api.call('get', '/api/queue', {});
        if (options.watch && output.terminal && !output.json) process.stdout.write('\u001b[2J\u001b[H');
        output.result(status, formatStatus(status));
        if (!options.watch) return;
        await delay(REFRESH_MS);
      }
    });
}

function formatStatus({ shards, totals, drain_rate_per_second: rate, seconds_to_empty: left }: QueueStatus): string {
  const queue = shards.map((each) => [
    each.shard,
    each.length,
    formatBytes(each.bytes),
    each.pending,
    each.lag,
    formatSeconds(each.oldest_age_seconds),
  ]);
  const consumers = shards.flatMap((each) =>
    each.consumers.map((one) => [one.name, each.shard, one.pending, formatSeconds(one.idle_ms / 1000)]),
  );
  return [
    formatTable(['shard', 'entries', 'bytes', 'pending', 'lag', 'oldest'], queue),
    formatTable(['writer', 'shard', 'pending', 'idle'], consumers),
    totals.length === 0
      ? 'The queue is empty.'
      : `${totals.length} entries wait; ${Math.round(rate)} a second are drained; empty in ${formatSeconds(left)}.`,
  ].join('\n');
}

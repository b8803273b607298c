import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import type { AnswerOf, ApiClient } from '@sluice/api-client/api-client';
import { formatBytes, formatSeconds, formatTable, type Output } from '../output.ts';

type QueueStatus = AnswerOf<'get', '/api/queue'>;

const REFRESH_MS = 1_000;

/** `status [--watch]`: shows what waits in the queue, and whether the writers keep up. */
export function addStatusCommand(program: Command, context: () => { api: ApiClient; output: Output }): void {
  program
    .command('status')
    .description('the queue: how much waits, since when, who works on it, and whether every entry is accounted for')
    .option('-w, --watch', 'repeat every second, until Ctrl-C')
    .addHelpText('after', '\nExamples:\n  ./sluice status\n  ./sluice status --watch\n  ./sluice status --json')
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

/** The text of `status` for an answer of `GET /api/queue`. */
export function formatStatus({
  shards,
  totals,
  conservation,
  drain_rate_per_second: rate,
  seconds_to_empty: left,
}: QueueStatus): string {
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
      : `${counted(totals.length, 'entry waits', 'entries wait')}; ${
          left === null
            ? "none left in the last 10 s: look at the writers' /health"
            : `${formatRate(rate)} a second are drained; empty in ${formatSeconds(left)}`
        }.`,
    ...formatConservation(conservation, shards),
  ].join('\n');
}

/** Whether every entry is accounted for. Each shard is checked by itself, because sums can hide drift. */
function formatConservation(
  { entries, events }: QueueStatus['conservation'],
  shards: QueueStatus['shards'],
): readonly string[] {
  // Redis counts from the stream's first entry, writers from the first one that they settled.
  const before = entries.added - entries.settled - entries.waiting - entries.drift;
  const drifts = shards.flatMap(({ shard, conservation }) => driftsOf(shard, conservation));
  return [
    `Entries: ${count(entries.added)} added,${before > 0 ? ` ${count(before)} of them gone before counting began,` : ''} ${count(entries.settled)} settled, ${count(entries.waiting)} waiting. ` +
      `Events settled: ${count(events.stored)} stored, ${count(events.duplicate)} duplicate, ${count(events.dead)} dead.`,
    ...drifts,
    ...(drifts.length === 0
      ? []
      : ['What that means and what to do: docs/operate/health.md, "Is everything accounted for".']),
  ];
}

function driftsOf(shard: number, { entries, events }: QueueStatus['conservation']): readonly string[] {
  const lost = entries.drift;
  const uncounted = events.drift;
  return [
    ...(lost > 0
      ? [`DRIFT: ${counted(lost, 'entry', 'entries')} left the stream without having been stored (shard ${shard}).`]
      : []),
    ...(lost < 0 ? [`DRIFT: the stream of shard ${shard} was deleted and made again; its counts cover both.`] : []),
    ...(uncounted === 0
      ? []
      : [
          `DRIFT: writers lost count of ${counted(Math.abs(uncounted), 'event', 'events')} of settled entries (shard ${shard}).`,
        ]),
  ];
}

/** With one decimal below 10. */
function formatRate(perSecond: number): string {
  return perSecond < 10 ? perSecond.toFixed(1) : count(Math.round(perSecond));
}

function counted(value: number, one: string, many: string): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

function count(value: number): string {
  return value.toLocaleString('en');
}

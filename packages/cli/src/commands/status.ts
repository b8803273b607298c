import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import { type AnswerOf, type ApiClient, CommandError } from '@sluice/api-client/api-client';
import { EXIT } from '@sluice/api-client/exit-codes';
import { visible, visibleLines } from '@sluice/errors/visible';
import { formatBytes, formatSeconds, formatTable, type Output } from '../output.ts';
import { openWatchScreen } from '../watch-screen.ts';

type QueueStatus = AnswerOf<'get', '/api/queue'>;
type Daemons = AnswerOf<'get', '/api/daemons'>['daemons'];

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
      if (options.watch) {
        await watch(api, output);
        return;
      }
      const { answers, text } = await readStatus(api);
      output.result(answers, text);
    });
}

/** The answers that `status` shows, and their text. */
async function readStatus(api: ApiClient): Promise<{ answers: object; text: string }> {
  const status = await api.call('get', '/api/queue', {});
  const daemons = await readDaemons(api);
  return {
    answers: { ...status, daemons: typeof daemons === 'string' ? null : daemons },
    text: formatStatus(status, daemons),
  };
}

/** The running daemons; or why they cannot be shown, e.g. to a key that may not see them. */
async function readDaemons(api: ApiClient): Promise<Daemons | string> {
  try {
    return (await api.call('get', '/api/daemons', {})).daemons;
  } catch (error) {
    if (error instanceof CommandError && error.exitCode === EXIT.failed) return error.message;
    throw error;
  }
}

/** Shows the status again every second. While the query API is away, it shows the last one and since when, and retries. */
async function watch(api: ApiClient, output: Output): Promise<never> {
  const screen = output.terminal && !output.json ? openWatchScreen(process.stdout) : null;
  let last: { readonly text: string; readonly at: number } | null = null;
  let reported = '';
  try {
    for (;;) {
      try {
        const { answers, text } = await readStatus(api);
        last = { text, at: Date.now() };
        reported = '';
        if (screen === null) output.result(answers, text);
        else screen.draw(visibleLines(text));
      } catch (error) {
        if (!(error instanceof CommandError) || !passes(error)) throw error;
        const since = last === null ? 'Not seen yet' : `Last seen ${formatSeconds((Date.now() - last.at) / 1000)} ago`;
        if (screen !== null) screen.draw(visibleLines([`${since}: ${error.message}`, '', last?.text ?? ''].join('\n')));
        else if (error.message !== reported) output.note(`${since}: ${error.message}`);
        reported = error.message;
      }
      await delay(REFRESH_MS);
    }
  } finally {
    screen?.close();
  }
}

/** Whether the query API may answer later: it is away, restarts, or asks to wait. Any other refusal would only repeat. */
function passes({ exitCode, status = 0 }: CommandError): boolean {
  return exitCode === EXIT.unreachable || status === 429 || status >= 500;
}

/** The text of `status` for answers of `GET /api/queue` and `GET /api/daemons`. */
export function formatStatus(
  {
    shards,
    consumers: writers,
    totals,
    conservation,
    drain_rate_per_second: rate,
    seconds_to_empty: left,
  }: QueueStatus,
  daemons: Daemons | string,
): string {
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
  const stalls = writers.flatMap(({ name, stalled }) =>
    stalled === undefined
      ? []
      : [
          `${visible(`${name}: STALLED since ${timeOfDay(stalled.since)}: ${stalled.message} [${stalled.code}]`)}, ${counted(stalled.entries, 'entry', 'entries')}`,
        ],
  );
  return [
    formatTable(['shard', 'entries', 'bytes', 'pending', 'lag', 'oldest'], queue),
    formatTable(['writer', 'shard', 'pending', 'idle'], consumers),
    totals.length === 0
      ? 'The queue is empty.'
      : `${counted(totals.length, 'entry waits', 'entries wait')}; ${
          left === null
            ? `none left in the last 10 s${stalls.length > 0 ? '' : ": look at the writers' /health"}`
            : `${formatRate(rate)} a second are drained; empty in ${formatSeconds(left)}`
        }.`,
    ...stalls,
    ...(typeof daemons === 'string' ? [`Daemons cannot be shown: ${daemons}`] : formatDaemons(daemons)),
    ...formatConservation(conservation, shards),
  ].join('\n');
}

/** Which daemons run, and why one of them cannot do its work. */
function formatDaemons(daemons: Daemons): readonly string[] {
  const rows = daemons.map((each) => [
    each.daemon,
    each.instance.slice(each.daemon.length + 1),
    each.version,
    formatSeconds((Date.parse(each.reported_at) - Date.parse(each.started_at)) / 1000),
    each.status,
  ]);
  const failures = daemons.flatMap(({ instance, checks }) =>
    Object.entries(checks).flatMap(([check, { status, message, since }]) =>
      status === 'ok' ? [] : [visible(`${instance}: ${check}: ${message ?? 'failed'} (since ${timeOfDay(since)})`)],
    ),
  );
  return [formatTable(['daemon', 'instance', 'version', 'up', 'status'], rows), ...failures];
}

/** `17:41:23` in the reader's own zone. */
function timeOfDay(time: string): string {
  return new Date(time).toLocaleTimeString('en-GB');
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

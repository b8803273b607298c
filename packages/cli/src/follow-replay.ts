import { SingleBar } from 'cli-progress';
import { createParser } from 'eventsource-parser';
import { type AnswerOf, type ApiClient, CommandError } from '@sluice/api-client/api-client';
import { EXIT } from '@sluice/api-client/exit-codes';
import { leaveAloneOnInterrupt } from './leave-alone.ts';
import type { Output } from './output.ts';

/** A replay as the API describes it. */
type ReplayStatus = AnswerOf<'get', '/api/dead-letters/replays/{id}'>;

const ENDED = new Set<ReplayStatus['state']>(['succeeded', 'failed', 'cancelled']);

/** Follows a replay by its server-sent events until it ends. Shows a bar in a terminal. */
export async function followReplay(api: ApiClient, id: string, output: Output): Promise<ReplayStatus> {
  const bar =
    output.terminal && !output.json
      ? new SingleBar({ format: 'replaying {bar} {value}/{total}  {rate}/s  {failed} failed again', hideCursor: true })
      : null;
  let status: ReplayStatus | null = null;
  bar?.start(1, 0, { rate: 0, failed: 0 });
  const unfollow = leaveAloneOnInterrupt(bar, output, `Replay ${id}`);
  const parser = createParser({
    onEvent(event) {
      status = JSON.parse(event.data) as ReplayStatus;
      const { matched, replayed, failed, skipped, rate } = status;
      bar?.setTotal(Math.max(1, matched));
      bar?.update(replayed + failed + skipped, { rate: Math.round(rate), failed });
    },
  });
  try {
    const bytes = await api.stream('/api/dead-letters/replays/{id}/progress', { path: { id } }, 'text/event-stream');
    for await (const text of bytes.pipeThrough(new TextDecoderStream())) parser.feed(text);
  } finally {
    unfollow();
    bar?.stop();
  }
  const last =
    (status as ReplayStatus | null) ?? (await api.call('get', '/api/dead-letters/replays/{id}', { path: { id } }));
  if (ENDED.has(last.state)) return last;
  throw new CommandError(
    `The connection ended before the replay did; replay ${id} continues on the server.`,
    EXIT.unreachable,
  );
}

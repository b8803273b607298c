import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Static } from 'typebox';
import { errorResponses } from '@sluice/errors/error-schema';
import { untraced } from '@sluice/daemon/telemetry/untraced';
import { replayParams } from '../http/input-schemas.ts';
import { limitOpenAnswers, MAX_OPEN_ANSWERS } from '../http/open-answers.ts';
import { ENDED, findReplay, type ReplayStatus } from './replay-rows.ts';
import type { QueryContext } from '../query-context.ts';

/** Time between two looks, in milliseconds. */
const LOOK_MS = 500;

/** Looks without news after which a comment keeps proxies from closing the connection. */
const HEARTBEAT_LOOKS = 20;

/** `GET /api/dead-letters/replays/{id}/progress`: server-sent events until the replay ends. */
export function addProgressRoute(server: FastifyInstance, { database, isStopping }: QueryContext): void {
  const holdStream = limitOpenAnswers(MAX_OPEN_ANSWERS);
  server.get('/api/dead-letters/replays/:id/progress', {
    config: { scope: 'read' },
    schema: {
      tags: ['replays'],
      summary: 'Follow a replay, as server-sent events',
      description: 'An event `progress` with the replay as JSON at each change; the stream ends with the replay.',
      params: replayParams,
      response: {
        200: {
          description: 'Events of type progress.',
          content: { 'text/event-stream': { schema: { type: 'string' } } },
        },
        ...errorResponses('query', 400, 401, 404, 503, 504),
      },
    },
    handler: async (request, reply) => {
      const { id } = request.params as Static<typeof replayParams>;
      const db = database.db;
      const look = (): Promise<ReplayStatus> => findReplay(db, id, request.operator);
      const first = await look();
      holdStream(request.operator, reply);
      const gone = new AbortController();
      // The client went away: nobody is told any more.
      reply.raw.once('close', () => gone.abort());
      return (reply as FastifyReply)
        .type('text/event-stream; charset=utf-8')
        .header('cache-control', 'no-store')
        .header('x-accel-buffering', 'no')
        .send(Readable.from(follow(first, look, () => gone.signal.aborted || isStopping(), gone.signal)));
    },
  });
}

async function* follow(
  first: ReplayStatus,
  look: () => Promise<ReplayStatus>,
  isOver: () => boolean,
  gone: AbortSignal,
): AsyncGenerator<string> {
  let told = JSON.stringify(first);
  yield eventOf(told);
  for (let quiet = 0, status = first; !ENDED.has(status.state); quiet += 1) {
    await delay(LOOK_MS, undefined, { signal: gone }).catch(() => {});
    if (isOver()) return;
    // The request's span is open as long as the replay: it must not collect a child with each look.
    status = await untraced(look);
    const text = JSON.stringify(status);
    if (text !== told) {
      yield eventOf(text);
      told = text;
      quiet = 0;
    } else if (quiet >= HEARTBEAT_LOOKS) {
      yield ': nothing new\n\n';
      quiet = 0;
    }
  }
}

function eventOf(json: string): string {
  return `event: progress\ndata: ${json}\n\n`;
}

import type { Client } from 'pg';
import type { StackHandle } from '@sluice/local-stack/stack';
import { seededRandom } from '@sluice/testkit/seeded-random';
import type { BenchOptions } from '../bench-options.ts';
import { deal, median, quantile } from '../figures.ts';
import type { Progress } from '../progress.ts';
import { createQueryClient, type QueryClient, timePeer, timeSluice, walkCursors } from './ask.ts';
import { connectUntilAborted } from './connect-until-aborted.ts';
import { storeEvents, WIDE_TENANT } from './dataset.ts';
import {
  dayQuestions,
  everythingQuestions,
  pageQuestions,
  type Question,
  type QuestionKind,
  recentQuestions,
  wideQuestions,
} from './questions.ts';
import { rebuildRollups } from './rebuild-rollups.ts';
import { sealFullSegments } from './seal-full-segments.ts';
import { copyToSeedsSchema } from './seeds-schema.ts';
import { type SteadyWriter, startSteadyWriter } from './steady-writer.ts';

/** Events of the tenant in which every event names another resource: as many as there are real edits. */
const WIDE_ROWS = 39_000;

/** Deep pages come from lists of this many thousand events. */
const WALK_STEPS = 100;

/** One line of the result; times in milliseconds. */
export interface QueryFigure {
  readonly question: string;
  readonly asked: number;
  readonly p50: number;
  readonly p95: number;
  readonly goal: number | null;
  readonly seedsSay: number | null;
  readonly peerAsked: number;
  readonly peerP50: number | null;
  readonly peerP95: number | null;
  /** Of each round: the peer's median over ours. */
  readonly timesFaster: readonly number[];
}

/** The results of one run. */
export interface QueryResult {
  readonly rows: number;
  readonly writerEventsPerSecond: number;
  readonly figures: readonly QueryFigure[];
}

/** Fills both schemas with the same events, and asks both the same questions in turn while a writer stores more. */
export async function runQueryBench(
  stack: StackHandle,
  options: BenchOptions,
  report: Progress,
  signal: AbortSignal,
): Promise<QueryResult> {
  const db = await connectUntilAborted(stack.databaseUrl, signal);
  const client = createQueryClient(stack.daemons['query-api']!.url, signal);
  let writer: SteadyWriter | undefined;
  try {
    const stored = report.start('storing events', options.rows);
    await sealFullSegments(stack.databaseUrl, async (seal) => {
      await storeEvents(db, { tenant: 'default', rows: options.rows, seal, onProgress: stored });
      await storeEvents(db, { tenant: WIDE_TENANT, rows: WIDE_ROWS, seal, onProgress: () => {} });
    });
    report.line("copying them into the seeds' schema");
    await copyToSeedsSchema(db, 'default');
    await rebuildRollups(client, signal, report.start('building the roll-ups', options.rows));
    await db.query('VACUUM ANALYZE');

    const kinds = await questionKinds(client, options);
    writer = startSteadyWriter(stack.daemons['ingest-api']!.url, options.rate);
    const startedAt = performance.now();
    const figures: QueryFigure[] = [];
    for (const kind of kinds) {
      signal.throwIfAborted();
      figures.push(await measure(kind, client, db, options, report.start(kind.title, kind.questions.length)));
    }
    const accepted = await writer.stop();
    return {
      rows: options.rows,
      writerEventsPerSecond: accepted / ((performance.now() - startedAt) / 1000),
      figures,
    };
  } finally {
    // Its error was handled above, or something else has failed before it.
    await writer?.stop().catch(() => {});
    client.close();
    await db.end();
  }
}

async function questionKinds(client: QueryClient, { rows, queries }: BenchOptions): Promise<QuestionKind[]> {
  const random = seededRandom(20_261_121);
  const now = Date.now();
  const lists = [{}, { event_types: ['CellChange'] }, { user_names: ['user-0'] }];
  const places: Question[] = [];
  for (const filter of lists) {
    const walked = await walkCursors(client, filter, Math.min(WALK_STEPS, Math.floor(rows / 20_000)), 2);
    places.push(...walked.map((page): Question => ({ kind: 'deep page', filter, ...page })));
  }
  return [
    questionKind('indexed filter, first page', 25, 50, pageQuestions(queries, rows, now, random)),
    questionKind(
      'deep page by cursor',
      25,
      null,
      Array.from({ length: queries }, () => random.pick(places)),
      0.25,
    ),
    questionKind('/events/recent', 15, null, recentQuestions(queries)),
    questionKind('statistics over 24 h', 100, 200, dayQuestions(queries, now, random)),
    questionKind('statistics over everything', 200, 200, everythingQuestions(queries, now, random), 0.1),
    questionKind(
      `statistics, ${WIDE_ROWS.toLocaleString('en')} distinct resources`,
      null,
      null,
      wideQuestions(queries / 4, now, false),
      0,
    ),
    questionKind('the same, distinct=approximate', null, null, wideQuestions(queries / 4, now, true), 0),
  ];
}

function questionKind(
  title: string,
  goalMs: number | null,
  seedsSayMs: number | null,
  questions: readonly Question[],
  peerShare = 1,
): QuestionKind {
  return { title, goalMs, seedsSayMs, peerShare, questions };
}

async function measure(
  kind: QuestionKind,
  client: QueryClient,
  db: Client,
  options: BenchOptions,
  progress: (done: number) => void,
): Promise<QueryFigure> {
  const ours: number[] = [];
  const pairs: { ours: number; peer: number }[] = [];
  const askPeerEvery = kind.peerShare === 0 ? Number.POSITIVE_INFINITY : Math.round(1 / kind.peerShare);
  for (const [index, question] of kind.questions.entries()) {
    const took = await timeSluice(client, question);
    ours.push(took);
    // Directly after each other, so that both see the same load of the machine.
    if (askPeerEvery !== Number.POSITIVE_INFINITY && index % askPeerEvery === 0)
      pairs.push({ ours: took, peer: await timePeer(db, question) });
    progress(index + 1);
  }
  const peers = pairs.map(({ peer }) => peer);
  const rounds = deal(pairs, options.rounds).filter((round) => round.length > 0);
  return {
    question: kind.title,
    asked: ours.length,
    p50: median(ours),
    p95: quantile(ours, 0.95),
    goal: kind.goalMs,
    seedsSay: kind.seedsSayMs,
    peerAsked: peers.length,
    peerP50: peers.length === 0 ? null : median(peers),
    peerP95: peers.length === 0 ? null : quantile(peers, 0.95),
    timesFaster: rounds.map((round) => median(round.map((pair) => pair.peer)) / median(round.map((pair) => pair.ours))),
  };
}

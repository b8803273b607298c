import { BARE_STREAM } from '../../peers/bare-stream.ts';
import type { Figure, Goal } from '../figure.ts';
import { inTurn } from '../load/in-turn.ts';
import { measureStoring } from '../load/measure-storing.ts';
import { sluiceTarget } from '../load/sluice-target.ts';
import { runLoad } from '../load/start-load.ts';
import { startPeers } from '../load/start-peers.ts';
import { startWriter } from '../load/start-writer.ts';
import type { Target } from '../load/target.ts';
import { type IngestBench, waysOf } from './ingest-bench.ts';
import type { LoadResults } from './load-results.ts';

const BATCH = 500;

/** Length of each load: long enough for a fold of the roll-ups, and for some answers of a slow peer. */
const SECONDS = 10;

/** Sends as much as 20 connections can for some seconds while a writer works: what a client then sees. */
export async function measureAcksWhileDraining(bench: IngestBench): Promise<LoadResults> {
  const { options, context, servers, redis } = bench;
  const { stack, around, running } = servers;
  const writer = await startWriter(
    { namespace: 'sluice', databaseUrl: stack.databaseUrl, concurrency: null },
    around,
    1,
  );
  running.defer(() => writer.stop());
  const ours = await sluiceTarget(stack, stack.daemons['ingest-api']!.url);
  running.defer(() => ours.close());
  const { direct, bullmq, graphile, fastapi, notes } = await startPeers(servers);
  const targets: Target[] = [ours, ...fastapi, direct, bullmq, ...graphile];
  const p99 = new Map<string, number[]>(targets.map(({ name }) => [name, []]));
  const acked: number[] = [];
  const limit: number[] = [];
  const order = (events: number | null) => ({
    connections: options.connections,
    batch: BATCH,
    events,
    seconds: SECONDS,
    mostWaiting: null,
    signal: context.signal,
  });

  for (const target of targets) await measureStoring(target, order(options.warmUp));
  for (let round = 1; round <= options.rounds; round += 1) {
    context.progress.line(`round ${round} of ${options.rounds}: answers while writers drain`);
    for (const target of inTurn(targets, round)) {
      await target.empty();
      const { load } = await measureStoring(target, order(options.quick ? options.events : null));
      p99.get(target.name)!.push(load.p99);
      if (target === ours) acked.push((load.acked * 1000) / load.elapsedMs);
      await target.empty();
    }
    const load = await runLoad({ ...order(options.events), url: waysOf(bench).parsing.url }, context.signal);
    await redis.del(BARE_STREAM);
    limit.push((load.acked * 1000) / load.elapsedMs);
  }
  const answers = (peer: Target, goal: Goal | null): Figure => ({
    name: `ack p99 while writers drain, ${options.connections} × ${BATCH}`,
    unit: 'ms',
    ours: p99.get(ours.name)!,
    against: peer.name,
    theirs: p99.get(peer.name)!,
    goal,
  });
  return {
    figures: [
      ...fastapi.map((peer) => answers(peer, { of: 'ratio', bound: 'most', value: 0.1 })),
      answers(direct, null),
      answers(bullmq, null),
      ...graphile.map((peer) => answers(peer, null)),
      {
        name: `acks while writers drain, batches of ${BATCH}`,
        unit: 'events/s',
        ours: acked,
        against: 'bare parse + XADD, without a writer',
        theirs: limit,
        goal: null,
      },
    ],
    notes,
  };
}

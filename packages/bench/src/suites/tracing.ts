import { Redis } from 'ioredis';
import type { RunningDaemon } from '@sluice/local-stack/launch-daemon';
import { streamKey } from '@sluice/stream/stream-keys';
import type { BenchOptions } from '../bench-options.ts';
import type { Figure, Goal } from '../figure.ts';
import { inTurn } from '../load/in-turn.ts';
import { makeDatabase } from '../load/make-database.ts';
import { measureStoring } from '../load/measure-storing.ts';
import { startCollector } from '../load/peers.ts';
import { sluiceTarget } from '../load/sluice-target.ts';
import { spansOf, untilTraced } from '../load/spans-of.ts';
import { startIngest } from '../load/start-ingest.ts';
import { runLoad } from '../load/start-load.ts';
import { startWriter } from '../load/start-writer.ts';
import type { Target } from '../load/target.ts';
import { type SuiteContext, type Surroundings, withServers } from '../with-servers.ts';
import { SUSTAINED_EVENTS } from './end-to-end.ts';
import type { LoadResults } from './load-results.ts';

const BATCH = 500;

/** The variants: the share of traces that is sampled, and null for tracing off. */
const RATIOS = { off: null, all: 1, few: 0.01 } as const;

/** The settings of tracing for the daemons of one variant; all other settings are the same. */
type Variant = keyof typeof RATIOS;

/** An ingest and a writer with their own stream and database. */
interface Pipeline {
  readonly variant: Variant;
  readonly namespace: string;
  readonly databaseUrl: string;
  readonly env: Readonly<Record<string, string>>;
  readonly ingest: RunningDaemon;
}

/** Measures the cost of tracing: the same daemons with and without it in turn, with a collector in its own process. */
export async function runTracing(options: BenchOptions, context: SuiteContext): Promise<LoadResults> {
  return withServers(context, [], async (servers) => {
    const pipelines = await startPipelines(servers);
    const acks = await measureAcks(pipelines, { options, context, servers });
    const stored = await measureStored(pipelines, { options, context, servers });
    const all = pipelines.find(({ variant }) => variant === 'all')!;
    await untilTraced(all.ingest.url, context.signal);
    const spans = await spansOf(all.ingest.url, context.signal);
    return {
      figures: [
        ...figuresOf(`202 to committed, batches of ${BATCH}`, stored),
        ...figuresOf(`acks, batches of ${BATCH}, a burst of ${options.events.toLocaleString('en')}`, acks),
      ],
      notes: [`the ingest that traces everything sent ${spans.exported} spans and dropped ${spans.dropped}`],
    };
  });
}

/** Starts the collector and an ingest for each variant. Writers come later: acks are measured without. */
async function startPipelines({ stack, around, running }: Surroundings): Promise<Pipeline[]> {
  const collector = await startCollector(around);
  running.defer(() => collector.stop());
  const start = async (variant: Variant): Promise<Pipeline> => {
    const ratio = RATIOS[variant];
    const env: Record<string, string> =
      ratio === null ? {} : { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_TRACES_SAMPLER_ARG: String(ratio) };
    const namespace = `traced_${variant}`;
    const databaseUrl = await makeDatabase(stack.databaseUrl, namespace, 'sluice');
    const ingest = await startIngest({ namespace, env }, around);
    running.defer(() => ingest.stop());
    return { variant, namespace, databaseUrl, env, ingest };
  };
  return [await start('off'), await start('all'), await start('few')];
}

interface Bench {
  readonly options: BenchOptions;
  readonly context: SuiteContext;
  readonly servers: Surroundings;
}

type Rates = Record<Variant, number[]>;

/** Sends bursts without writers: events acknowledged per second. */
async function measureAcks(pipelines: readonly Pipeline[], { options, context, servers }: Bench): Promise<Rates> {
  const rates: Rates = { off: [], all: [], few: [] };
  const redis = new Redis(servers.stack.redisUrl);
  servers.running.defer(() => redis.disconnect());
  const burst = async ({ ingest, namespace }: Pipeline, events: number): Promise<number> => {
    const url = `${ingest.url}/api/events`;
    const { connections } = options;
    const load = await runLoad({ url, connections, batch: BATCH, events, seconds: null }, context.signal);
    await redis.del(streamKey(namespace, 0));
    return (load.acked * 1000) / load.elapsedMs;
  };
  for (const pipeline of pipelines) await burst(pipeline, options.warmUp);
  for (let round = 1; round <= options.rounds; round += 1) {
    context.progress.line(`round ${round} of ${options.rounds}: bursts`);
    for (const pipeline of inTurn(pipelines, round))
      rates[pipeline.variant].push(await burst(pipeline, options.events));
  }
  return rates;
}

/** Measures sustained storing: events committed per second, each pipeline with one writer. */
async function measureStored(pipelines: readonly Pipeline[], { options, context, servers }: Bench): Promise<Rates> {
  const { around, running } = servers;
  const rates: Rates = { off: [], all: [], few: [] };
  const targets: { variant: Variant; target: Target }[] = [];
  for (const { variant, namespace, databaseUrl, env, ingest } of pipelines) {
    const writer = await startWriter({ namespace, databaseUrl, concurrency: null, env }, around, 1);
    running.defer(() => writer.stop());
    const urls = { databaseUrl, redisUrl: servers.stack.redisUrl };
    const target = await sluiceTarget(urls, ingest.url, streamKey(namespace, 0));
    running.defer(() => target.close());
    targets.push({ variant, target });
  }
  const measure = async (target: Target, until: { events: number | null; seconds: number | null }): Promise<number> => {
    await target.empty();
    const { connections } = options;
    const order = { ...until, connections, batch: BATCH, mostWaiting: SUSTAINED_EVENTS, signal: context.signal };
    const { eventsPerSecond } = await measureStoring(target, order);
    // Removes the rows, whose vacuum would otherwise run during the next measurement.
    await target.empty();
    return eventsPerSecond;
  };
  for (const { target } of targets) await measure(target, { events: options.warmUp, seconds: null });
  for (let round = 1; round <= options.rounds; round += 1) {
    context.progress.line(`round ${round} of ${options.rounds}: storing`);
    for (const { variant, target } of inTurn(targets, round))
      rates[variant].push(await measure(target, { events: null, seconds: options.seconds }));
  }
  return rates;
}

function figuresOf(name: string, rates: Rates): Figure[] {
  const figure = (sampled: string, ours: readonly number[], goal: Goal | null): Figure => ({
    name: `${name}, ${sampled}`,
    unit: 'events/s',
    ours,
    against: 'tracing off',
    theirs: rates.off,
    goal,
  });
  return [
    figure('every trace sampled', rates.all, { of: 'ratio', bound: 'least', value: 0.9 }),
    figure('1 % of traces sampled', rates.few, null),
  ];
}
